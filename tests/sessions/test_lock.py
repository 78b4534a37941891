"""The generation lock: who runs, in which order, and what everybody sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine

import pytest
from tests.sessions.conftest import until
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.sessions.events import LockEntry, LockEvent
from gemma_chat.sessions.job import TurnJob
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.session import Session


async def open_sessions(model: InferenceModel, count: int) -> list[Session]:
    return [await model.open_session(system_instruction=f"S{n}") for n in range(count)]


def asked(engine: ScriptedEngine) -> list[str]:
    """The questions of the turns that began, in order."""
    return [messages[-1].text for messages in engine.prompts]


async def test_ten_waiters_run_in_the_order_in_which_they_asked(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 4 of the session API."""
    sessions = await open_sessions(model, 10)
    engine.gate.hold()
    turns = [session.start_turn(f"q{n}") for n, session in enumerate(sessions)]
    await engine.gate.reached()
    assert [entry.session for entry in model.lock.waiting] == [s.id for s in sessions[1:]]
    engine.gate.open()
    results = [await turn.finished() for turn in turns]
    assert asked(engine) == [f"q{n}" for n in range(10)]
    assert [result.text for result in results] == [f"S{n} 1: q{n}" for n in range(10)]


async def test_background_turns_run_last_wherever_they_asked(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 4 of the session API."""
    front = await open_sessions(model, 4)
    behind = [await model.open_session(background=True) for _ in range(2)]
    engine.gate.hold()
    turns = [front[0].start_turn("f0")]
    await engine.gate.reached()
    turns += [behind[0].start_turn("b0"), front[1].start_turn("f1"), behind[1].start_turn("b1")]
    turns += [front[2].start_turn("f2"), front[3].start_turn("f3")]
    engine.gate.open()
    await asyncio.gather(*(turn.finished() for turn in turns))
    assert asked(engine) == ["f0", "f1", "f2", "f3", "b0", "b1"]


@pytest.mark.parametrize("cancelled", [[1], [2], list(range(1, 9)), [0], list(range(9))])
async def test_cancelled_waiters_never_take_the_lock_with_them(
    engine: ScriptedEngine, model: InferenceModel, cancelled: list[int]
) -> None:
    """Case 1 of the session API."""
    sessions = await open_sessions(model, 10)
    engine.gate.hold()
    tasks = [
        asyncio.create_task(session.get_response(f"q{n}")) for n, session in enumerate(sessions)
    ]
    await engine.gate.reached()
    for number in cancelled:
        tasks[number].cancel()
    await asyncio.wait([tasks[number] for number in cancelled])
    engine.gate.open()
    left = [n for n in range(10) if n not in cancelled]
    assert [await tasks[n] for n in left] == [f"S{n} 1: q{n}" for n in left]
    questions = [f"q{n}" for n in left]
    assert [question for question in asked(engine) if question in questions] == questions
    for number in cancelled:
        assert tasks[number].cancelled()
        assert sessions[number].history == ()
        assert engine.evaluated[number] == 0
    assert model.lock.holder is None
    assert model.lock.waiting == ()


async def test_a_background_turn_gives_way_in_decoding_and_goes_on_exactly(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 9 of the session API."""
    person, summarizer = await model.open_session(), await model.open_session(background=True)
    engine.gate.hold()
    behind = summarizer.start_turn("one two three four")
    await engine.gate.let_pass(3)
    front = person.start_turn("hello")
    engine.gate.open()
    assert (await front.finished()).text == "1: hello"
    assert front.number == 1
    result = await behind.finished()
    assert result.text == "1: one two three four"
    prompt = len(engine.prompts[0][-1].text.split()) + 3
    assert engine.evaluated[1] == prompt
    assert result.metrics.generated_tokens == 5
    after_give_way = engine.order[engine.order.index(("give_way", 1)) :]
    assert ("prefill", 1) not in after_give_way
    assert engine.lanes == ["background", "foreground"]


async def test_a_background_turn_gives_way_before_its_next_micro_batch(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 9 of the session API."""
    person, summarizer = await model.open_session(), await model.open_session(background=True)
    engine.gate.hold()
    behind = summarizer.start_turn("word " * 1000)
    await engine.gate.let_pass(2)
    evaluated = engine.evaluated[1]
    front = person.start_turn("hello")
    engine.gate.open()
    await front.finished()
    first_of_person = engine.order.index(("prefill", 0))
    assert engine.order[:first_of_person] == [("prefill", 1)] * 2 + [("give_way", 1)]
    result = await behind.finished()
    assert evaluated == 256
    assert engine.evaluated[1] == 1004 == result.metrics.evaluated_tokens


async def test_a_waiting_step_of_a_background_turn_is_interrupted_for_a_person(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    person, summarizer = await model.open_session(), await model.open_session(background=True)
    engine.gate.hold()
    summarizer.start_turn("word " * 200)
    await engine.gate.reached()
    front = person.start_turn("hello")
    await until(model, lambda: front.state != "queued")
    assert engine.interruptions == 1
    assert engine.evaluated[1] == 0
    engine.gate.open()
    await front.finished()


async def test_a_stopped_background_turn_that_gave_way_ends_while_a_person_generates(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    person, summarizer = await model.open_session(), await model.open_session(background=True)
    engine.gate.hold()
    behind = summarizer.start_turn("one two three")
    await engine.gate.let_pass(3)
    front = person.start_turn("hello there")
    await until(model, lambda: front.state != "queued")
    behind.stop()
    engine.gate.allow()
    result = await behind.finished()
    assert (result.reason, result.text) == ("stopped", "1: one")
    assert front.state != "finished"
    engine.gate.open()
    await front.finished()
    assert [m.text for m in summarizer.history] == ["one two three", "1: one"]


async def test_every_transition_is_an_event_in_order(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    events: list[LockEvent] = []
    model.lock.subscribe(events.append)
    first, second = await open_sessions(model, 2)
    engine.gate.hold()
    turns = [first.start_turn("word " * 200), second.start_turn("b")]
    await engine.gate.reached()
    engine.gate.open()
    for turn in turns:
        await turn.finished()
    await first.close()
    own = [event for event in events if event.entry.session == first.id]
    phases = [event.entry.phase for event in own]
    assert phases[0] == "queued"
    assert own[0].position == 1
    assert phases == sorted(phases, key=["queued", "prefill", "generating", "finished"].index)
    prefilled = [e.entry.prompt_done for e in own if e.entry.phase == "prefill"]
    assert prefilled[0] == 0
    assert 128 in prefilled
    assert prefilled[-1] == own[-1].entry.prompt_total
    assert "generating" in phases
    assert own[-1].reason == "stop"
    waited = [event for event in events if event.entry.session == second.id]
    assert (waited[0].entry.phase, waited[0].position) in [("queued", 1), ("queued", 2)]
    assert waited[-1].entry.phase == "finished"


async def test_a_turn_that_ends_while_its_progress_is_told_is_finished_once(
    engine: ScriptedEngine, model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[LockEvent] = []
    model.lock.subscribe(events.append)
    session = await model.open_session()
    entry, loop_thread = TurnJob.entry, threading.get_ident()

    def end_meanwhile(job: TurnJob) -> LockEntry:
        if threading.get_ident() == loop_thread and job.phase == "generating":
            engine.gate.open()
            while job.phase != "finished":
                time.sleep(0.001)
        return entry(job)

    monkeypatch.setattr(TurnJob, "entry", end_meanwhile)
    engine.gate.hold()
    turn = session.start_turn("one two")
    engine.gate.allow(2)
    await turn.finished()
    await until(model, lambda: events[-1].reason is not None)
    ends = [event.reason for event in events if event.entry.phase == "finished"]
    assert ends == ["stop"]


async def test_holder_and_waiting_show_figures_while_a_turn_runs(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    first, second = await open_sessions(model, 2)
    engine.gate.hold()
    turn = first.start_turn("one two three")
    second.start_turn("b")
    await engine.gate.let_pass(3)
    holder = model.lock.holder
    assert holder is not None
    assert (holder.session, holder.turn, holder.phase) == (first.id, 1, "generating")
    assert holder.generated == 2
    assert holder.prompt_done == holder.prompt_total == 9
    assert holder.tokens_per_second > 0
    assert [(e.session, e.phase) for e in model.lock.waiting] == [(second.id, "queued")]
    assert first.context_used == 11
    assert turn.progress == holder


async def test_a_failing_listener_disturbs_nobody(
    engine: ScriptedEngine, model: InferenceModel, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[LockEvent] = []

    def fail(_: LockEvent) -> None:
        raise ValueError("listener")

    model.lock.subscribe(fail)
    unsubscribe = model.lock.subscribe(seen.append)
    session = await model.open_session()
    assert await session.get_response("a") == "1: a"
    assert seen
    assert "a listener of the generation lock failed" in caplog.text
    unsubscribe()
    unsubscribe()
    seen.clear()
    await session.get_response("b")
    assert seen == []


async def break_off(session: Session, got_piece: asyncio.Event) -> None:
    async for _ in session.get_response_async("word " * 50):
        got_piece.set()
        break


async def close_the_generator(session: Session, got_piece: asyncio.Event) -> None:
    async with contextlib.aclosing(session.get_response_async("word " * 50)) as stream:
        await anext(stream)
        got_piece.set()


async def wait_to_be_cancelled(session: Session, got_piece: asyncio.Event) -> None:
    async for _ in session.get_response_async("word " * 50):
        got_piece.set()


@pytest.mark.parametrize("consume", [break_off, close_the_generator, wait_to_be_cancelled])
async def test_an_abandoned_stream_stops_decoding_within_a_token(
    engine: ScriptedEngine,
    model: InferenceModel,
    consume: Callable[[Session, asyncio.Event], Coroutine[None, None, None]],
) -> None:
    """Case 2 of the session API."""
    session, other = await open_sessions(model, 2)
    got_piece = asyncio.Event()
    engine.gate.hold()
    task = asyncio.create_task(consume(session, got_piece))
    engine.gate.allow(2)
    await got_piece.wait()
    task.cancel()
    await asyncio.wait({task})
    await until(model, lambda: not session.turns)
    assert engine.steps == 2
    assert session.metrics.finish_reason == "stopped"
    engine.gate.open()
    assert await other.get_response("next") == "S1 1: next"


async def test_a_turn_that_is_moved_up_runs_before_its_neighbour_and_everybody_is_told(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = await open_sessions(model, 4)
    engine.gate.hold()
    turns = [session.start_turn(f"q{n}") for n, session in enumerate(sessions)]
    await engine.gate.reached()
    told: list[tuple[int, int]] = []
    model.lock.subscribe(lambda event: told.append((event.entry.session, event.position)))
    last = model.lock.waiting[-1]
    assert model.lock.move(last.ticket, -1)
    assert model.lock.move(last.ticket, -1)
    assert not model.lock.move(last.ticket, -1)
    assert [entry.moved for entry in model.lock.waiting] == [2, -1, -1]
    engine.gate.open()
    for turn in turns:
        await turn.finished()
    assert asked(engine) == ["q0", "q3", "q1", "q2"]
    moves = [(sessions[3].id, 2), (sessions[2].id, 3), (sessions[3].id, 1), (sessions[1].id, 2)]
    assert told[:4] == moves


async def test_a_turn_is_withdrawn_by_its_ticket_waiting_or_running(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    sessions = await open_sessions(model, 3)
    engine.gate.hold()
    turns = [session.start_turn(f"q{n}") for n, session in enumerate(sessions)]
    await engine.gate.reached()
    assert model.lock.holder is not None
    tickets = [model.lock.holder.ticket, model.lock.waiting[0].ticket]
    assert all(model.lock.withdraw(ticket) for ticket in reversed(tickets))
    engine.gate.open()
    assert [(await turn.finished()).reason for turn in turns] == ["stopped", "stopped", "stop"]
    assert not any(model.lock.withdraw(ticket) for ticket in tickets)
    assert not model.lock.move(tickets[0], 1)
