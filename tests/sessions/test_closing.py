"""Closing sessions and models at any time, and engines that die."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time

import pytest
from tests.sessions.conftest import assert_used_well, until
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.errors import EngineCrashedError, ModelClosedError, SessionClosedError
from gemma_chat.sessions.model import InferenceModel


def hold_up_the_loop(model: InferenceModel) -> None:
    """Until all turns have ended, so that all that is told of them arrives together."""
    while not model.lock.picture().is_free:
        time.sleep(0.001)


async def test_a_closed_session_that_was_queued_never_runs(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 3 of the session API."""
    first, second, third = [await model.open_session() for _ in range(3)]
    engine.gate.hold()
    running = first.start_turn("a")
    await engine.gate.reached()
    queued = asyncio.create_task(second.get_response("b"))
    later = asyncio.create_task(third.get_response("c"))
    await until(model, lambda: len(model.lock.waiting) == 2)
    await second.close()
    with pytest.raises(SessionClosedError, match="Session 2"):
        await queued
    assert [entry.session for entry in model.lock.waiting] == [third.id]
    assert engine.sequences[1].released
    engine.gate.open()
    assert (await running.finished()).text == "1: a"
    assert await later == "1: c"
    assert engine.evaluated[1] == 0


async def test_closing_a_generating_session_keeps_its_partial_text_and_frees_its_memory(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session()
    engine.gate.hold()
    turn = session.start_turn("one two three")
    await engine.gate.let_pass(3)
    await session.close()
    result = await turn.finished()
    assert (result.reason, result.text, result.error) == ("closed", "1: one", None)
    assert engine.sequences[0].released
    assert model.sessions == ()
    assert model.lock.holder is None
    for call in (session.get_response("x"), session.fork(), session.rewind(0)):
        with pytest.raises(SessionClosedError):
            await call
    with pytest.raises(SessionClosedError):
        session.size_in_tokens("x")
    await session.stop_generation()


async def test_giving_up_the_wait_for_a_close_does_not_stop_the_closing(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session()
    engine.gate.hold()
    turn = session.start_turn("one two")
    await engine.gate.reached()
    closing = asyncio.create_task(session.close())
    await asyncio.sleep(0)
    closing.cancel()
    await turn.finished()
    await session.close()
    assert engine.sequences[0].released


async def test_closing_the_model_stops_the_turn_and_fails_the_waiters_at_once(
    engine: ScriptedEngine,
) -> None:
    """Case 10 of the session API."""
    model = InferenceModel(engine)
    running, behind, *waiting = [
        await model.open_session(background=number == 1) for number in range(5)
    ]
    engine.gate.hold()
    gave_way = behind.start_turn("one two three")
    await engine.gate.let_pass(2)
    stream = running.start_turn("a b c")
    await until(model, lambda: stream.state != "queued")
    await engine.gate.let_pass(2)
    waiters = [asyncio.create_task(session.get_response("x")) for session in waiting]
    await until(model, lambda: len(model.lock.waiting) == 4)
    steps = engine.steps
    await asyncio.gather(model.close(), model.close())
    await model.close()
    assert engine.steps == steps
    assert (await stream.finished()).reason == "closed"
    assert (await stream.finished()).text == "1:"
    assert isinstance((await gave_way.finished()).error, ModelClosedError)
    for waiter in waiters:
        with pytest.raises(ModelClosedError):
            await waiter
    with pytest.raises(ModelClosedError):
        await running.get_response("x")
    with pytest.raises(ModelClosedError):
        await model.open_session()
    with pytest.raises(ModelClosedError):
        model.size_in_tokens("x")
    await running.close()
    assert running.context_used >= 0
    assert model.sessions == ()
    assert_used_well(engine)


async def test_a_model_without_a_turn_closes_its_engine_too(engine: ScriptedEngine) -> None:
    async with InferenceModel(engine):
        pass
    assert_used_well(engine)


async def test_closing_sessions_at_any_moment_is_safe_two_hundred_times() -> None:
    """Case 10 of the session API."""
    engine = ScriptedEngine(lambda *_: "word " * 30)
    chance = random.Random(1)
    async with InferenceModel(engine, max_concurrent_sessions=3) as model:
        steady = await model.open_session(system_instruction="steady")
        for _ in range(200):
            session = await model.open_session(background=chance.random() < 0.3)
            task = asyncio.create_task(session.get_response("word " * chance.randrange(1, 400)))
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            await session.close()
            await asyncio.wait({task})
            assert not isinstance(task.exception(), AssertionError)
        assert model.lock.holder is None
        assert (await steady.get_response("x")).startswith("word")
        assert model.sessions == (steady,)
    assert_used_well(engine)


async def test_models_closed_at_any_moment_leave_nothing_open() -> None:
    """Case 10 of the session API."""
    chance = random.Random(2)
    for _ in range(40):
        engine = ScriptedEngine(lambda *_: "word " * 30)
        model = InferenceModel(engine)
        turns = [
            (await model.open_session(background=n == 1)).start_turn("word " * 200)
            for n in range(3)
        ]
        for _ in range(chance.randrange(10)):
            await asyncio.sleep(0)
        await model.close()
        reasons = {(await turn.finished()).reason for turn in turns}
        assert reasons <= {"closed", "stop"}
        assert_used_well(engine)


async def test_a_dead_engine_fails_the_turn_and_everybody_who_waits(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 19 of the session API: the one that runs and the five that wait fail at once."""
    sessions = [await model.open_session() for _ in range(6)]
    engine.gate.hold()
    tasks = [asyncio.create_task(session.get_response("x")) for session in sessions]
    await engine.gate.let_pass(2)
    engine.fail_next_step(EngineCrashedError("llama.cpp returned -3. Load the model again."))
    engine.gate.allow()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in failures] == [
        "llama.cpp returned -3. Load the model again."
    ] * 6
    assert {type(error) for error in failures} == {EngineCrashedError}
    assert len({id(error) for error in failures}) == 6
    assert [m.text for m in sessions[0].history] == ["x", "1:"]
    assert sessions[1].history == ()
    assert model.failure is not None
    with pytest.raises(EngineCrashedError):
        await sessions[1].get_response("y")
    assert model.lock.holder is None


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError("full"), KeyError("gone")])
async def test_an_unexpected_error_costs_one_turn_only(
    engine: ScriptedEngine,
    model: InferenceModel,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = await model.open_session(), await model.open_session()
    engine.fail_next_step(error)
    with pytest.raises(EngineCrashedError, match=type(error).__name__):
        await first.get_response("a")
    assert "failed unexpectedly" in caplog.text
    assert await second.get_response("b") == "1: b"
    assert await first.get_response("c") == "1: c"


async def test_a_report_that_is_not_taken_holds_up_nobody_else(model: InferenceModel) -> None:
    first, second = await model.open_session(), await model.open_session()

    def fail(_: object) -> None:
        raise RuntimeError("odd")

    lost, turn = first.start_turn("a"), second.start_turn("b")
    lost.job.receive = fail
    hold_up_the_loop(model)
    async with asyncio.timeout(20):
        assert (await turn.finished()).text == "1: b"


async def test_a_turn_that_cannot_begin_costs_that_turn_only(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    first, second = await model.open_session(), await model.open_session()
    engine.fail_next_begin(ValueError("no"))
    results = await asyncio.gather(
        first.get_response("a"), second.get_response("b"), return_exceptions=True
    )
    assert isinstance(results[0], EngineCrashedError)
    assert results[1] == "1: b"


def test_a_program_that_ends_without_closing_its_model_ends_cleanly() -> None:
    program = """
import asyncio, atexit
from tests.sessions.scripted import ScriptedEngine
from gemma_chat.sessions.model import InferenceModel

engine = ScriptedEngine()
atexit.register(lambda: print(engine.closed, engine.violations))

async def main():
    engine.gate.hold()
    session = await InferenceModel(engine).open_session()
    session.start_turn("word " * 500)
    await engine.gate.let_pass(1)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (done.stdout.strip(), done.stderr) == ("1 []", "")
