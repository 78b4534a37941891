"""What a full window costs: nothing but the question, also after a restart.

Counted on the first layers of both real models.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.loading import load_model
from gemma_chat.sessions.options import SessionOptions
from gemma_chat.sessions.replacement import Digest

GREEDY: SessionOptions = {
    "temperature": 0.0,
    "max_output_tokens": 4,
    "system_instruction": "You are an old captain.",
}
HISTORY = [
    HistoryMessage(role, f"Part {number}. The sea is wide and deep, and the ship is small.")
    for number in range(11)
    for role in ("user", "assistant")
]
QUESTION = "And then, what did the other captain say?"


async def make_room(chat: Chat) -> None:
    made = asyncio.Event()
    unsubscribe = chat.subscribe(lambda _: made.set())
    assert await chat.make_room()
    await made.wait()
    unsubscribe()


async def test_the_question_that_crosses_the_line_evaluates_only_itself(
    short_model_path: Path, tmp_path: Path
) -> None:
    async with await load_model(
        short_model_path, context_size=512, threads=1, states_dir=tmp_path
    ) as model:
        chat = await model.open_chat(history=HISTORY, **GREEDY)
        question = chat.size_in_tokens(QUESTION) + 16
        await chat.get_response("Well?")
        chat.digest = Digest("The captain told of a wide sea and a small ship.", 12)
        await make_room(chat)
        before = chat.history, chat.replacements
        crossing = await chat.get_response(QUESTION)
        assert chat.metrics.evaluated_tokens <= question
        after = chat.history, chat.replacements
        again = await chat.get_response(QUESTION)
        await chat.close()

        unprepared = await model.open_chat(history=before[0], replacements=before[1], **GREEDY)
        assert await unprepared.get_response(QUESTION) == crossing

    async with await load_model(
        short_model_path, context_size=512, threads=1, states_dir=tmp_path
    ) as model:
        chat = await model.open_chat(history=after[0], replacements=after[1], **GREEDY)
        assert await chat.get_response(QUESTION) == again
        assert chat.metrics.restored_tokens > 100
        assert chat.metrics.evaluated_tokens <= question


async def test_what_was_prepared_outlives_the_process_before_anything_is_asked(
    short_smollm2_path: Path, tmp_path: Path
) -> None:
    async with await load_model(
        short_smollm2_path, context_size=512, threads=1, states_dir=tmp_path
    ) as model:
        chat = await model.open_chat(history=HISTORY, **GREEDY)
        chat.digest = Digest("The captain told of a wide sea and a small ship.", 11)
        await make_room(chat)
        stored = chat.history, chat.replacements
    async with await load_model(
        short_smollm2_path, context_size=512, threads=1, states_dir=tmp_path
    ) as model:
        chat = await model.open_chat(history=stored[0], replacements=stored[1], **GREEDY)
        await chat.get_response(QUESTION)
        assert chat.metrics.evaluated_tokens <= chat.size_in_tokens(QUESTION) + 16
