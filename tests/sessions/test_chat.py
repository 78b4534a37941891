"""Chats: stored conversations go on, and overflow is told."""

from __future__ import annotations

from tests.sessions.conftest import assert_used_well
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.engine.interface import ChatMessage
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.model import InferenceModel

STORED = (
    HistoryMessage("user", "My name is Ada.", 3),
    HistoryMessage("assistant", "Hello Ada.", 3),
    HistoryMessage("user", "unanswered", 4),
)


async def test_a_restored_chat_evaluates_nothing_before_its_next_turn(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await model.open_chat(history=STORED, system_instruction="Be kind.")
    assert engine.steps == 0
    assert chat.history == STORED[:2]
    assert chat.session.context_used == 15
    await chat.get_response("Who am I?")
    assert engine.prompts == [
        (
            ChatMessage("system", "Be kind."),
            ChatMessage("user", "My name is Ada."),
            ChatMessage("assistant", "Hello Ada."),
            ChatMessage("user", "Who am I?"),
        )
    ]
    assert chat.history[-1].turn == 4
    again = await model.open_chat(history=chat.history)
    assert again.history == chat.history


async def test_a_chat_streams_stops_forks_and_rewinds(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    async with await model.create_chat() as chat:
        await chat.add_query_chunk("a ")
        assert "".join([piece async for piece in chat.get_response_async("b")]) == "1: a b"
        branch = await chat.fork()
        await branch.rewind(0)
        assert branch.history == ()
        assert len(chat.history) == 2
        turn = chat.start_turn("never")
        await chat.stop_generation()
        assert turn.result is not None
        settings = chat.settings
        chat.settings = settings
        assert model.session is chat.session
        await branch.close()
    assert model.sessions == ()


async def test_a_chat_tells_what_it_leaves_out() -> None:
    """Case 14 of the session API."""
    engine = ScriptedEngine(context_size=200)
    told: list[TurnsDropped] = []
    async with InferenceModel(engine) as model:
        stored = [
            HistoryMessage(role, "word " * 20) for _ in range(20) for role in ("user", "assistant")
        ]
        chat = await model.open_chat(history=stored)
        unsubscribe = chat.subscribe(told.append)
        await chat.get_response("x")
        assert [(event.session, event.turn) for event in told] == [(chat.id, 21)]
        assert told[0].left_out == chat.left_out > 10
        assert told[0].prompt_tokens == chat.session.metrics.evaluated_tokens
        assert len(chat.history) == 42
        unsubscribe()
    assert_used_well(engine)
