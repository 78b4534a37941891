"""Several turns at once, on an engine with several slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.sessions.conftest import assert_used_well, until
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.errors import EngineCrashedError, GemmaChatError
from gemma_chat.sessions.model import InferenceModel


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(slots=2)


@pytest.fixture
async def model(engine: ScriptedEngine) -> AsyncIterator[InferenceModel]:
    model = InferenceModel(engine)
    yield model
    engine.gate.open()
    await model.close()
    assert_used_well(engine)


def running(model: InferenceModel) -> list[int]:
    return [entry.session for entry in model.lock.holders]


async def test_as_many_turns_run_as_there_are_slots_and_the_rest_wait_in_order(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = [await model.open_session() for _ in range(4)]
    engine.gate.hold()
    turns = [session.start_turn("hello") for session in sessions]
    await engine.gate.reached(2)
    assert running(model) == [sessions[0].id, sessions[1].id]
    assert model.lock.holder == model.lock.holders[0]
    assert [entry.session for entry in model.lock.waiting] == [sessions[2].id, sessions[3].id]
    engine.gate.open()
    results = await asyncio.gather(*(turn.finished() for turn in turns))
    assert [result.text for result in results] == ["1: hello"] * 4
    assert engine.most_concurrent == 2


async def test_two_questions_of_one_session_never_run_at_once(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    one, other = await model.open_session(), await model.open_session()
    engine.gate.hold()
    turns = [one.start_turn("first"), one.start_turn("second"), other.start_turn("mine")]
    await until(model, lambda: len(running(model)) == 2)
    assert running(model) == [one.id, other.id]
    assert [(entry.session, entry.turn) for entry in model.lock.waiting] == [(one.id, 2)]
    engine.gate.open()
    assert (await turns[1].finished()).text == "2: second"
    assert (await turns[2].finished()).text == "1: mine"


async def test_a_background_turn_takes_a_free_slot_and_leaves_it_to_a_person(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    summarizer = await model.open_session(background=True)
    people = [await model.open_session() for _ in range(2)]
    engine.gate.hold()
    behind = summarizer.start_turn("one two three")
    first = people[0].start_turn("a")
    await until(model, lambda: len(running(model)) == 2)
    assert behind.state != "queued"
    second = people[1].start_turn("b")
    await until(model, lambda: second.state != "queued")
    assert running(model) == [people[0].id, people[1].id]
    assert behind.state == "queued"
    engine.gate.open()
    assert (await behind.finished()).text == "1: one two three"
    assert (await first.finished()).text == "1: a"
    assert (await second.finished()).text == "1: b"


async def test_stopping_one_running_turn_leaves_the_other_alone(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = [await model.open_session() for _ in range(3)]
    engine.gate.hold()
    turns = [session.start_turn("hello") for session in sessions]
    await until(model, lambda: len(running(model)) == 2)
    turns[0].stop()
    assert (await turns[0].finished()).reason == "stopped"
    await until(model, lambda: turns[2].state != "queued")
    assert turns[1].state == "prefill"
    engine.gate.open()
    assert (await turns[1].finished()).reason == "stop"


async def test_an_error_of_one_turn_is_not_one_of_the_turn_beside_it(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = [await model.open_session() for _ in range(2)]
    engine.gate.hold()
    turns = [session.start_turn("hello") for session in sessions]
    await until(model, lambda: len(running(model)) == 2)
    engine.fail_next_step(GemmaChatError("this one"))
    engine.gate.open()
    results = await asyncio.gather(*(turn.finished() for turn in turns))
    assert sorted(result.reason for result in results) == ["failed", "stop"]


async def test_a_crash_fails_who_waits_and_the_turns_beside_come_to_their_end(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = [await model.open_session() for _ in range(3)]
    engine.gate.hold()
    turns = [session.start_turn("hello") for session in sessions]
    await until(model, lambda: len(running(model)) == 2)
    engine.fail_next_step(EngineCrashedError("gone"))
    engine.gate.allow()
    assert (await turns[2].finished()).reason == "failed"
    engine.gate.open()
    results = await asyncio.gather(*(turn.finished() for turn in turns))
    assert sorted(result.reason for result in results) == ["failed", "failed", "stop"]
    with pytest.raises(EngineCrashedError):
        sessions[0].start_turn("again")


async def test_closing_the_model_ends_every_running_turn(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = [await model.open_session() for _ in range(3)]
    engine.gate.hold()
    turns = [session.start_turn("hello") for session in sessions]
    await until(model, lambda: len(running(model)) == 2)
    await model.close()
    results = await asyncio.gather(*(turn.finished() for turn in turns))
    assert [result.reason for result in results] == ["closed"] * 3
