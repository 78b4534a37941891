"""What a coming turn begins with is warmed up, and nobody ever waits for that."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.sessions.conftest import until
from tests.sessions.gate import DEADLINE
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.events import LockEvent
from gemma_chat.sessions.job import PreparedTurn
from gemma_chat.sessions.model import InferenceModel

LONG = "a word and another one " * 60


async def idle(model: InferenceModel) -> None:
    await until(model, lambda: model.lock.picture().is_free)


async def test_a_turn_does_not_evaluate_again_what_was_warmed_up(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(system_instruction=LONG)
    session.warm_up()
    await idle(model)
    assert await session.get_response("hello") == f"{LONG} 1: hello"
    assert session.metrics.reused_tokens > 200
    assert session.metrics.evaluated_tokens < 20


async def test_it_leaves_no_trace_in_history_figures_or_turn_numbers(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(system_instruction="Pirate")
    session.warm_up(LONG)
    await idle(model)
    assert session.history == ()
    assert session.totals.turns == 0
    assert engine.prompts == []
    turn = session.start_turn("hello")
    assert turn.number == 1
    await turn.finished()


async def test_the_lock_shows_it_as_background_work_of_its_kind(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(system_instruction=LONG)
    engine.gate.hold()
    session.warm_up()
    await engine.gate.reached()
    holder = model.lock.holder
    assert holder is not None
    assert (holder.purpose, holder.background, holder.session) == ("warm-up", True, session.id)
    engine.gate.open()
    await idle(model)


async def test_another_session_s_turn_takes_the_lock_from_it_at_once(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    waiting, asking = await model.open_session(system_instruction=LONG), await model.open_session()
    engine.gate.hold()
    waiting.warm_up()
    await engine.gate.reached()
    turn = asking.start_turn("hello")
    engine.gate.open()
    await turn.finished()
    await idle(model)
    assert engine.lanes == ["background", "foreground"]
    last_of_asking = max(at for at, (kind, _) in enumerate(engine.order) if kind == "token")
    assert ("give_way", 0) in engine.order
    assert engine.order.index(("prefill", 0)) > last_of_asking


async def test_the_session_s_own_turn_ends_it(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(system_instruction=LONG)
    ends: list[str] = []

    def note(event: LockEvent) -> None:
        if event.reason is not None:
            ends.append(f"{event.entry.purpose} {event.reason}")

    model.lock.subscribe(note)
    engine.gate.hold()
    session.warm_up(LONG)
    await engine.gate.reached()
    turn = session.start_turn("hello")
    engine.gate.open()
    result = await turn.finished()
    await idle(model)
    assert result.reason == "stop"
    assert ends == ["warm-up stopped", "reply stop"]


async def test_a_newer_draft_takes_the_place_of_an_older_one(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session()
    engine.gate.hold()
    for length in range(5):
        session.warm_up(LONG[: 100 * length])
    waiting = [entry for entry in model.lock.waiting if entry.purpose == "warm-up"]
    assert len(waiting) <= 1
    engine.gate.open()
    await idle(model)


async def test_while_the_session_has_a_turn_nothing_is_warmed_up(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session()
    engine.gate.hold()
    turn = session.start_turn("hello")
    session.warm_up(LONG)
    assert all(entry.purpose == "reply" for entry in model.lock.waiting)
    engine.gate.open()
    await turn.finished()


async def test_it_is_of_the_conversation_as_it_was_when_it_began(
    model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect, begun, goes_on = Conversation.expect, threading.Event(), threading.Event()
    seen: list[int] = []

    def expect_later(conversation: Conversation, draft: str) -> PreparedTurn:
        begun.set()
        goes_on.wait(DEADLINE)
        seen.append(len(conversation.exchanges))
        return expect(conversation, draft)

    session = await model.open_session()
    for question in ("one", "two"):
        await session.get_response(question)
    monkeypatch.setattr(Conversation, "expect", expect_later)
    session.warm_up()
    await asyncio.to_thread(begun.wait, DEADLINE)
    await session.rewind(1)
    goes_on.set()
    await idle(model)
    assert seen == [2]


async def test_closing_the_session_or_the_model_ends_it(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    closing, other = await model.open_session(), await model.open_session()
    engine.gate.hold()
    closing.warm_up(LONG)
    other.warm_up(LONG)
    engine.gate.open()
    await closing.close()
    await asyncio.wait_for(model.close(), DEADLINE)
