"""The library without `await`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.sessions.conftest import assert_used_well
from tests.sessions.gate import DEADLINE
from tests.sessions.scripted import ScriptedEngine

import gemma_chat
from gemma_chat import sync
from gemma_chat.sync.loop import LoopThread


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def model(engine: ScriptedEngine) -> Iterator[sync.InferenceModel]:
    with sync.model_on(engine, max_concurrent_sessions=3) as model:
        yield model
        engine.gate.open()
    model.close()
    assert_used_well(engine)


def test_the_calls_of_the_session_api_work_without_a_loop(
    engine: ScriptedEngine, model: sync.InferenceModel
) -> None:
    with model.open_session(system_instruction="Pirate") as session:
        assert session.get_response("one two") == "Pirate 1: one two"
        session.add_query_chunk("three ")
        assert "".join(session.get_response_async("four")) == "Pirate 2: three four"
        assert session.size_in_tokens("a b") == model.size_in_tokens("a b") == 2
        assert session.metrics.generated_tokens == 4
        assert session.totals.turns == 2
        assert session.context_used > 0
        branch = session.fork()
        session.rewind(1)
        assert (len(session.history), len(branch.history)) == (2, 4)
        session.settings = branch.settings
        assert (session.id, session.background) == (1, False)
        session.stop_generation()
        assert [one.id for one in model.sessions] == [1, 2]
        branch.close()
        branch.close()
    assert model.sessions == ()
    assert model.description.name == "scripted"
    assert model.figures().weights_bytes > 0


def test_one_lane_sessions_and_chats(model: sync.InferenceModel) -> None:
    first = model.create_session()
    chat = model.create_chat()
    with pytest.raises(gemma_chat.SessionClosedError):
        first.get_response("x")
    assert model.session is not None
    assert model.session.id == chat.session.id
    assert chat.get_response("x") == "1: x"
    stored = model.open_chat(history=chat.history)
    assert stored.get_response("y") == "2: y"
    assert stored.left_out == 0
    assert stored.fork().history == stored.history
    with pytest.raises(gemma_chat.SessionLimitError):
        model.open_session()


def test_a_stream_that_is_given_up_stops_its_turn(
    engine: ScriptedEngine, model: sync.InferenceModel
) -> None:
    session = model.open_session()
    engine.gate.hold()
    engine.gate.allow(2)
    stream = session.get_response_async("word " * 50)
    assert next(stream) == "1:"
    stream.close()
    engine.gate.open()
    assert session.get_response("next") == "2: next"
    assert engine.prompts[1][1].text == "1:"


def test_threads_share_one_model(model: sync.InferenceModel) -> None:
    sessions = [model.open_session(system_instruction=f"S{n}") for n in range(3)]
    with ThreadPoolExecutor(3) as pool:
        replies = pool.map(lambda session: session.get_response("x"), sessions)
        assert list(replies) == ["S0 1: x", "S1 1: x", "S2 1: x"]


def test_a_closed_model_refuses_every_call_and_frees_waiting_threads() -> None:
    engine = ScriptedEngine()
    model = sync.model_on(engine)
    running, waiting = model.open_session(), model.open_session()
    engine.gate.hold()
    queued = threading.Event()
    model.lock.subscribe(lambda event: queued.set() if event.entry.session == 2 else None)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(running.get_response, "a")
        engine.gate.wait_until_reached()
        second = pool.submit(waiting.get_response, "b")
        assert queued.wait(DEADLINE)
        model.close()
        assert first.result(DEADLINE) == ""
        assert isinstance(second.exception(DEADLINE), gemma_chat.ModelClosedError)
    for call in (
        model.open_session,
        model.create_session,
        model.open_chat,
        lambda: running.get_response("x"),
        lambda: list(running.get_response_async("x")),
        running.fork,
    ):
        with pytest.raises(gemma_chat.ModelClosedError):
            call()
    running.close()
    model.close()
    assert_used_well(engine)


def test_a_call_that_comes_while_the_loop_ends_is_refused_instead_of_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = LoopThread()
    stand_still, refused = loop._thread.join, []

    def call_when_it_stands_still() -> None:
        stand_still()
        with pytest.raises(gemma_chat.ModelClosedError):
            loop.call(lambda: None)
        refused.append(True)

    monkeypatch.setattr(loop._thread, "join", call_when_it_stands_still)
    loop.end()
    loop.end()
    assert refused == [True]


def test_a_model_that_cannot_be_loaded_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with pytest.raises(gemma_chat.ModelLoadError):
        sync.load_model("missing.gguf")
    assert threading.active_count() <= before


def test_turns_tools_and_branches_work_without_a_loop(
    engine: ScriptedEngine, model: sync.InferenceModel
) -> None:
    assert (model.closed, model.failure) == (False, None)
    model.check(gemma_chat.SessionSettings())
    session = model.open_session(max_output_tokens=1)
    engine.gate.hold()
    turn, second = session.start_turn("one"), session.start_turn("two")
    assert [waiting.question for waiting in session.turns] == ["one", "two"]
    assert session.rephrase({2: "three"})
    assert (turn.session, turn.number, second.state) == (session.id, 1, "queued")
    assert second.progress.phase == "queued"
    engine.gate.open()
    assert (list(turn), turn.finished().reason) == (["1:"], "length")
    turn.stop()
    assert second.finished().reason == "length"
    assert (turn.text, turn.result, turn.tool_calls) == ("1:", turn.finished(), ())
    session.settings = gemma_chat.SessionSettings()
    assert session.continue_response().finished().text.endswith("three")
    assert session.history[2].text == "three"
    assert session.history[3].text.startswith("2:")
    session.go_to(session.history[:2])
    session.warm_up("four")
    session.tools = (gemma_chat.ToolSpec("clock", "Tell the time.", '{"type": "object"}'),)
    assert session.tools[0].name == "clock"
    assert (session.modalities, session.left_out, session.closed) == ((), 0, False)
    with pytest.raises(gemma_chat.GemmaChatError, match="No tool call waits"):
        session.start_turn(results=[])
    with pytest.raises(gemma_chat.GemmaChatError, match="No tool call waits"):
        session.answer_calls([])
    session.close()
    session.stop_generation()
    assert session.closed


async def test_it_works_where_another_loop_runs_as_in_a_notebook() -> None:
    engine = ScriptedEngine()
    with sync.model_on(engine) as model:
        assert model.open_session().get_response("x") == "1: x"
    assert_used_well(engine)
