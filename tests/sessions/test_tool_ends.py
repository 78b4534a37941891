"""Every way out of a turn with tools: each call has a result, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest
from tests.sessions.gate import DEADLINE
from tests.sessions.tools import (
    Door,
    Open,
    add,
    call,
    call_of_add,
    outcomes,
)

from gemma_chat.engine.interface import ToolCall
from gemma_chat.errors import (
    EngineCrashedError,
    GemmaChatError,
    ModelClosedError,
    SessionClosedError,
)
from gemma_chat.sessions.history import UNANSWERED
from gemma_chat.sessions.tool_calls import STOPPED


async def test_stop_ends_the_tools_and_each_call_has_a_result(talk: Open) -> None:
    """Case 17 of the session API."""
    door, thread_door = Door(), threading.Event()
    entered = asyncio.Event()
    loop = asyncio.get_running_loop()

    def blocked() -> None:
        loop.call_soon_threadsafe(entered.set)
        thread_door.wait()

    chat, script, engine, _ = await talk(
        ["Well. ", call("wait"), call("add", '{"a": 1, "b": 1}'), call("blocked")],
        tools=[door.wait, add, blocked],
    )
    turn = chat.start_turn("go")
    await door.entered.wait()
    await entered.wait()
    async for piece in turn:
        if piece.kind == "tool_result":
            break
    await chat.stop_generation()
    await door.cancelled.wait()
    thread_door.set()
    result = await turn.finished()
    assert (result.reason, result.text, result.kept) == ("stopped", "Well. ", True)
    assert outcomes(chat) == ["stopped", "answered", "stopped"]
    assert len(engine.prompts) == 1
    assert await chat.get_response("go on") == "done"
    assert script.results == [STOPPED, "2", STOPPED]


async def test_stop_while_a_person_is_asked(talk: Open) -> None:
    asked = asyncio.Event()

    async def ask(_: ToolCall) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    chat, _, _, _ = await talk(call_of_add(), permission=ask)
    turn = chat.start_turn("go")
    await asked.wait()
    turn.stop()
    turn.stop()
    assert (await turn.finished()).reason == "stopped"
    assert outcomes(chat) == ["stopped"]


async def test_stop_while_it_waits_leaves_no_trace(talk: Open) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    door = Door()
    chat, script, _, _ = await talk([call("wait")], tools=[door.wait])
    first = chat.start_turn("one")
    await door.entered.wait()
    second = chat.start_turn("two")
    third = chat.start_turn("three")
    second.stop()
    assert (await second.finished()).reason == "stopped"
    assert await asyncio.wait_for(second.finished(), DEADLINE) == second.result
    door.open.set()
    assert (await third.finished()).text == "done"
    assert first.result is not None
    assert not any(m.text == "two" for told in script.told for m in told)
    del second
    gc.collect()
    assert complaints == []


async def test_a_cancelled_wait_stops_the_tools(talk: Open) -> None:
    door = Door()
    chat, _, _, _ = await talk([call("wait")], tools=[door.wait])
    asking = asyncio.create_task(chat.get_response("go"))
    await door.entered.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await door.cancelled.wait()
    await asyncio.gather(*(turn.finished() for turn in chat.turns))
    assert outcomes(chat) == ["stopped"]


async def test_a_stream_that_is_given_up_stops_the_tools(talk: Open) -> None:
    door = Door()
    chat, _, _, _ = await talk([call("wait")], tools=[door.wait])
    stream = chat.get_response_async("go")
    async for _ in stream:
        break
    await door.entered.wait()
    await stream.aclose()
    await door.cancelled.wait()
    await asyncio.gather(*(turn.finished() for turn in chat.turns))
    assert outcomes(chat) == ["stopped"]


@pytest.mark.parametrize(
    ("closed", "error"), [("chat", SessionClosedError), ("model", ModelClosedError)]
)
async def test_closing_ends_the_tools_and_fails_what_waits(
    talk: Open, closed: str, error: type[GemmaChatError]
) -> None:
    """Case 17 of the session API."""
    door = Door()
    chat, _, _, model = await talk([call("wait")], tools=[door.wait])
    turn = chat.start_turn("go")
    await door.entered.wait()
    waiting = chat.start_turn("and then?")
    await (chat.close() if closed == "chat" else model.close())
    result = await turn.finished()
    assert (result.reason, result.error) == ("closed", None)
    with pytest.raises(error):
        (await waiting.finished()).text_or_raise()
    await door.cancelled.wait()
    assert outcomes(chat) == ["stopped"]


async def test_a_long_result_that_comes_after_the_model_is_closed_is_cut_without_it(
    talk: Open,
) -> None:
    chat, _, engine, model = await talk("done")
    await model.close()
    cut = chat.session.cut_result("word " * 10**6, others=0)
    assert 0 < len(cut.encode()) // 4 <= engine.description.context_size // 4


async def test_a_chat_that_is_closed_while_it_generates_ends(talk: Open) -> None:
    chat, _, engine, _ = await talk("never " * 100)
    engine.gate.hold()
    turn = chat.start_turn("go")
    await engine.gate.let_pass(3)
    closing = asyncio.create_task(chat.close())
    assert (await turn.finished()).reason == "closed"
    await closing


async def test_an_engine_that_crashes_meanwhile_leaves_results_in_the_history(talk: Open) -> None:
    """Case 17 of the session API."""
    door = Door()
    chat, _, engine, model = await talk([call("wait")], tools=[door.wait])
    turn = chat.start_turn("go")
    await door.entered.wait()
    other = await model.open_session()
    engine.fail_next_step(EngineCrashedError("The engine is gone."))
    with pytest.raises(EngineCrashedError):
        await other.get_response("boom")
    door.open.set()
    result = await turn.finished()
    assert isinstance(result.error, EngineCrashedError)
    assert result.kept
    assert outcomes(chat) == ["answered"]


async def test_a_fork_taken_while_a_tool_runs_knows_that_the_call_had_no_result(talk: Open) -> None:
    door = Door()
    chat, script, _, _ = await talk([call("wait")], tools=[door.wait])
    turn = chat.start_turn("go")
    await door.entered.wait()
    branch = await chat.fork()
    assert branch.tools == chat.tools
    assert outcomes(branch) == ["stopped"]
    assert await branch.get_response("what now?") == "done"
    assert script.results == [UNANSWERED]
    door.open.set()
    await turn.finished()
    assert outcomes(chat) == ["answered"]
