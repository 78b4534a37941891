"""A chat with tools: calls are carried out, and each has a result whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any

import pytest
from tests.sessions.conftest import assert_used_well, until
from tests.sessions.scripted import Said, ScriptedEngine

from gemma_chat import sync
from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, ReplyPart, ToolCall, ToolSpec
from gemma_chat.errors import (
    EngineCrashedError,
    GemmaChatError,
    ModelClosedError,
    SessionClosedError,
    SettingsError,
    ToolError,
)
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.chat_turn import REPEATED
from gemma_chat.sessions.history import UNANSWERED
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.tool_calls import REFUSED, STOPPED
from gemma_chat.sessions.tool_policy import ToolPolicy


def call(name: str, arguments: str = "{}", error: str = "") -> ReplyPart:
    return ReplyPart("tool_call", call=ToolCall("", name, arguments, error))


class Script:
    """Says one thing after the other; what it was told stands in `told`."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)
        self.told: list[tuple[ChatMessage, ...]] = []

    def __call__(self, messages: Sequence[ChatMessage], sampling: SamplingSettings) -> Said:
        self.told.append(tuple(messages))
        return self.said.pop(0) if self.said else "done"

    @property
    def results(self) -> list[str]:
        """The results in the newest prompt."""
        return [message.text for message in self.told[-1] if message.role == "tool"]


class Door:
    """A tool that waits behind a door."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def wait(self) -> str:
        """Wait for the door."""
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "came through"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail() -> None:
    """Fail."""
    raise ValueError("no luck")


def scripted(script: Script) -> tuple[ScriptedEngine, InferenceModel]:
    engine = ScriptedEngine(script)
    return engine, InferenceModel(engine)


Open = Callable[..., Awaitable[tuple[Chat, Script, ScriptedEngine, InferenceModel]]]


@pytest.fixture
async def talk() -> AsyncIterator[Open]:
    """Opens a chat that says what a test gives; in the end the engine was used well."""
    opened: list[tuple[ScriptedEngine, InferenceModel]] = []

    async def open_chat(
        *said: Said, tools: Sequence[Any] = (add, fail), **policy: Any
    ) -> tuple[Chat, Script, ScriptedEngine, InferenceModel]:
        script = Script(*said)
        engine = ScriptedEngine(script)
        model = InferenceModel(engine)
        opened.append((engine, model))
        chat = await model.open_chat(tools=tools, tool_policy=ToolPolicy(**policy))
        return chat, script, engine, model

    yield open_chat
    for engine, model in opened:
        engine.gate.open()
        await model.close()
        assert_used_well(engine)


def outcomes(chat: Chat) -> list[str]:
    """What became of the calls in the history, where each call has exactly one result."""
    made = [one.id for message in chat.history for one in message.tool_calls]
    results = [message for message in chat.history if message.role == "tool"]
    assert [result.tool_call_id for result in results] == made
    assert len(set(made)) == len(made)
    return [result.outcome for result in results]


async def test_the_model_calls_and_goes_on_from_the_result(talk: Open) -> None:
    chat, script, engine, _ = await talk(["Let me see. ", call("add", '{"a": 2, "b": 3}')], "Five.")
    turn = chat.start_turn("2 + 3?")
    pieces = [piece async for piece in turn]
    parts = groupby(pieces, key=lambda piece: piece.kind)
    assert [(kind, "".join(part)) for kind, part in parts] == [
        ("text", "Let me see. "),
        ("tool_call", 'add({"a": 2, "b": 3})'),
        ("tool_result", "5"),
        ("text", "Five."),
    ]
    result = await turn.finished()
    assert (result.reason, result.text, result.kept) == ("stop", "Five.", True)
    assert result.metrics.generated_tokens == 6
    assert result.metrics.evaluated_tokens == engine.evaluated[0]
    assert [one.name for one in turn.tool_calls] == ["add"]
    assert [message.role for message in script.told[-1]] == ["user", "assistant", "tool"]
    assert [spec.name for spec in engine.forms[0].tools] == ["add", "fail"]
    assert [message.role for message in chat.history] == ["user", "assistant", "tool", "assistant"]
    assert outcomes(chat) == ["answered"]
    assert await chat.get_response("Thanks") == "done"


async def test_calls_of_one_reply_run_side_by_side_and_answer_in_order(talk: Open) -> None:
    first, second = Door(), Door()

    async def one() -> str:
        await second.wait()
        first.open.set()
        return "one"

    async def two() -> str:
        second.open.set()
        await first.wait()
        return "two"

    chat, script, _, _ = await talk([call("one"), call("two")], tools=[one, two])
    assert await chat.get_response("go") == "done"
    assert script.results == ["one", "two"]


async def test_every_failure_of_a_call_is_its_result(talk: Open) -> None:
    chat, script, _, _ = await talk(
        [
            call("fail"),
            call("add", '{"a": 1}'),
            call("missing"),
            call("add", "{", error="The call was cut off."),
            call("add", '{"a": 1, "b": 1}'),
        ]
    )
    assert await chat.get_response("go") == "done"
    assert script.results[0] == "fail failed: ValueError: no luck"
    assert script.results[1].startswith("The arguments of add do not fit: Object missing")
    assert script.results[2:] == ["There is no tool missing.", "The call was cut off.", "2"]
    assert outcomes(chat) == ["failed", "failed", "failed", "failed", "answered"]


@pytest.mark.parametrize("permission", ["never", lambda call: call.name != "add"])
async def test_a_call_that_is_not_permitted_is_refused(talk: Open, permission: Any) -> None:
    chat, script, _, _ = await talk(call_of_add(), permission=permission)
    assert await chat.get_response("go") == "done"
    assert script.results == [REFUSED]
    assert outcomes(chat) == ["refused"]


def call_of_add() -> Said:
    return [call("add", '{"a": 1, "b": 1}')]


async def test_a_permission_that_fails_refuses(talk: Open) -> None:
    async def broken(_: ToolCall) -> bool:
        raise OSError("nobody there")

    chat, script, _, _ = await talk(call_of_add(), permission=broken)
    await chat.get_response("go")
    assert script.results == [REFUSED]


async def test_a_tool_that_takes_too_long_is_given_up(talk: Open) -> None:
    door = Door()

    async def stubborn() -> str:
        """Will not be cancelled."""
        while not door.open.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await door.open.wait()
        return "late"

    chat, script, _, _ = await talk([call("stubborn")], tools=[stubborn], seconds=0.01)
    try:
        assert await chat.get_response("go") == "done"
        assert script.results == ["stubborn had no result after 0.01 seconds and was given up."]
        assert outcomes(chat) == ["failed"]
    finally:
        door.open.set()


async def test_a_tool_that_cancels_itself_has_failed(talk: Open) -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    chat, script, _, _ = await talk([call("give_up")], tools=[give_up])
    assert await chat.get_response("go") == "done"
    assert script.results == ["give_up was cancelled from within."]


async def test_a_result_is_bounded_and_well_formed(talk: Open) -> None:
    def much() -> str:
        return "\ud800" + "x" * 100_000

    chat, script, _, _ = await talk([call("much")], tools=[much], max_result_characters=200)
    await chat.get_response("go")
    assert len(script.results[0]) == 200
    assert script.results[0].startswith("\ufffdxxx")
    assert script.results[0].endswith("[cut: the whole has 100,001 characters]")


# ---------------------------------------------------------------- where it ends


async def test_after_so_many_turns_with_calls_the_model_must_answer(talk: Open) -> None:
    said = [[call("add", f'{{"a": {number}, "b": 1}}')] for number in range(20)]
    chat, script, engine, _ = await talk(*said[:8], "enough", tools=[add])
    assert await chat.get_response("go") == "enough"
    assert len(script.told) == 9
    assert [form.tool_choice for form in engine.forms] == ["auto"] * 8 + ["none"]
    assert outcomes(chat) == ["answered"] * 8


async def test_a_call_that_repeats_the_one_before_is_not_made_again(talk: Open) -> None:
    made: list[int] = []

    def note(number: int) -> str:
        made.append(number)
        return "noted"

    same = [call("note", '{"number": 1}')]
    chat, script, engine, _ = await talk(same, same, "well", tools=[note])
    assert await chat.get_response("go") == "well"
    assert made == [1]
    assert script.results == ["noted", REPEATED]
    assert engine.forms[-1].tool_choice == "none"
    assert outcomes(chat) == ["answered", "refused"]


async def test_a_required_call_is_required_once(talk: Open) -> None:
    chat, _, engine, _ = await talk(call_of_add())
    turn = chat.start_turn("go", tool_choice="required")
    await turn.finished()
    assert [form.tool_choice for form in engine.forms] == ["required", "auto"]
    await chat.start_turn("go", tool_choice="none").finished()
    assert engine.forms[-1].tool_choice == "none"
    chat.tools = ()
    with pytest.raises(SettingsError, match="has no tools"):
        chat.start_turn("go", tool_choice="required")


async def test_calls_of_a_reply_that_was_cut_off_are_answered_too(talk: Open) -> None:
    chat, _, _, _ = await talk([call("add", "{", error="It was cut off."), " x" * 5000])
    turn = chat.start_turn("go")
    result = await turn.finished()
    assert result.reason == "length"
    assert outcomes(chat) == ["failed"]


# ---------------------------------------------------------------- the lock


async def test_others_generate_while_a_tool_runs_or_a_person_is_asked(talk: Open) -> None:
    door = Door()
    chat, _, _, model = await talk([call("wait")], "I see.", tools=[door.wait])
    turn = chat.start_turn("go")
    await door.entered.wait()
    assert turn.state == "calling"
    assert model.lock.holder is None
    other = await model.open_session()
    assert await other.get_response("and you?") == "I see."
    door.open.set()
    assert (await turn.finished()).text == "done"
    assert turn.state == "finished"


async def test_a_question_that_is_asked_meanwhile_waits_for_the_answer(talk: Open) -> None:
    door = Door()
    chat, script, _, _ = await talk([call("wait")], "first", "second", tools=[door.wait])
    first = chat.start_turn("one")
    await door.entered.wait()
    await chat.add_query_chunk("t")
    second = chat.start_turn("wo")
    await chat.add_query_chunk("three")
    assert (second.state, second.number, second.question) == ("queued", 0, "two")
    assert chat.turns == (first, second)
    with pytest.raises(GemmaChatError, match="cannot go back"):
        await chat.rewind(0)
    door.open.set()
    assert (await second.finished()).text == "second"
    assert [m.text for m in script.told[-1]][-1] == "two"
    assert "first" in [m.text for m in script.told[-1]]
    assert (first.number, second.number) == (1, 2)
    assert await chat.get_response() == "done"
    assert chat.turns == ()


# ---------------------------------------------------------------- every way out


async def test_stop_ends_the_tools_and_each_call_has_a_result(talk: Open) -> None:
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
    door = Door()
    chat, script, _, _ = await talk([call("wait")], tools=[door.wait])
    first = chat.start_turn("one")
    await door.entered.wait()
    second = chat.start_turn("two")
    third = chat.start_turn("three")
    second.stop()
    assert (await second.finished()).reason == "stopped"
    assert await asyncio.wait_for(second.finished(), 5) == second.result
    door.open.set()
    assert (await third.finished()).text == "done"
    assert first.result is not None
    assert not any(m.text == "two" for told in script.told for m in told)


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


async def test_a_chat_that_is_closed_while_it_generates_ends(talk: Open) -> None:
    chat, _, engine, _ = await talk("never " * 100)
    engine.gate.hold()
    turn = chat.start_turn("go")
    await engine.gate.let_pass(3)
    closing = asyncio.create_task(chat.close())
    assert (await turn.finished()).reason == "closed"
    await closing


async def test_an_engine_that_crashes_meanwhile_leaves_results_in_the_history(talk: Open) -> None:
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


# ---------------------------------------------------------------- what is given


async def test_tools_can_be_changed_between_turns(talk: Open) -> None:
    chat, _, engine, _ = await talk("a", "b", tools=())
    await chat.get_response("one")
    chat.tools = (*(await talk(tools=[add]))[0].tools,)
    await chat.get_response("two")
    assert [[spec.name for spec in form.tools] for form in engine.forms] == [[], ["add"]]


async def test_a_session_is_told_of_functions_and_carries_out_nothing() -> None:
    engine, model = scripted(Script(call_of_add()))
    async with model:
        session = await model.open_session(tools=[add])
        turn = session.start_turn("go")
        result = await turn.finished()
        assert (result.reason, [one.name for one in result.tool_calls]) == ("tool_call", ["add"])
    assert_used_well(engine)


async def test_what_is_no_tool_takes_no_place() -> None:
    engine, model = scripted(Script())
    async with model:
        with pytest.raises(ToolError, match="must be a function"):
            await model.open_chat(tools=["add"])  # type: ignore[list-item]
        with pytest.raises(ToolError, match="a ToolSpec is only its description"):
            await model.open_chat(tools=[ToolSpec("x", "", "{}")])
        with pytest.raises(SettingsError, match="Two tools are named 'add'"):
            await model.open_chat(tools=[add, add])
        assert model.sessions == ()
    assert_used_well(engine)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tool_turns": 0},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"max_result_characters": 5},
        {"permission": "perhaps"},
    ],
)
def test_a_policy_that_is_not_allowed_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="is not allowed"):
        ToolPolicy(**wrong)


def test_chats_without_await_have_tools_too() -> None:
    script = Script(call_of_add(), "Two.", call_of_add(), "Two.")
    engine = ScriptedEngine(script)
    with sync.model_on(engine) as model, model.open_chat(tools=[add]) as chat:
        assert chat.get_response("1 + 1?") == "Two."
        assert script.results == ["2"]
        kinds = [piece.kind for piece in chat.get_response_async("again?")]
        assert kinds == ["tool_call", "tool_result", "text"]
        with chat.fork() as branch:
            assert branch.tools == chat.tools
            branch.tools = ()
        chat.stop_generation()
        chat.rewind(0)
        assert chat.history == ()
    assert_used_well(engine)


async def test_one_lane_chats_have_tools_too() -> None:
    script = Script(call_of_add())
    engine, model = scripted(script)
    async with model:
        chat = await model.create_chat(tools=[add])
        assert await chat.get_response("go") == "done"
        assert script.results == ["2"]
        await until(model, lambda: model.lock.holder is None)
    assert_used_well(engine)
