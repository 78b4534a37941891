"""Turns that end with calls and go on after their results, and what the history keeps of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sessions.scripted import Said, ScriptedEngine

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import ChatMessage, ReplyPart, ToolCall, ToolSpec
from gemma_chat.errors import GemmaChatError, SettingsError
from gemma_chat.sessions.history import (
    UNANSWERED,
    HistoryMessage,
    ToolResult,
    flatten,
    restore,
)
from gemma_chat.sessions.model import InferenceModel

CLOCK = ToolSpec("clock", "Tells the time.", "{}")


def call(name: str = "clock", error: str = "") -> ReplyPart:
    return ReplyPart("tool_call", call=ToolCall("", name, "{}", error))


def tool_user(messages: Sequence[ChatMessage], _: SamplingSettings) -> Said:
    """Thinks, calls twice (once wrongly), and answers with what came back."""
    last = messages[-1]
    if last.role == "tool":
        return [ReplyPart("thinking", "So."), f"It is {last.text}."]
    if "time" in last.text:
        return [
            ReplyPart("thinking", "Hm, "),
            ReplyPart("thinking", "hm."),
            call(),
            call("cloak", "No."),
        ]
    return "Hello."


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(tool_user)


async def test_calls_come_out_and_results_go_in_within_one_exchange(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(tools=[CLOCK])
    turn = session.start_turn("What time is it?")
    pieces = [piece async for piece in turn]
    assert "".join(piece for piece in pieces if piece.kind == "thinking") == "Hm, hm."
    assert [str(piece) for piece in pieces if piece.kind != "thinking"] == [
        "clock({})",
        "cloak({})",
    ]
    result = await turn.finished()
    assert (result.reason, result.text, result.thinking, result.kept) == (
        "tool_call",
        "",
        "Hm, hm.",
        True,
    )
    clock, cloak = result.tool_calls
    assert (clock.id, cloak.id, turn.tool_calls) == ("call-1-1", "call-1-2", (clock, cloak))
    following = session.start_turn(results=[ToolResult(clock.id, "noon")])
    ended = await following.finished()
    assert (following.number, ended.reason, ended.text) == (1, "stop", "It is No..")
    assert [(m.role, m.text, m.tool_call_id, m.outcome) for m in session.history] == [
        ("user", "What time is it?", "", "answered"),
        ("assistant", "", "", "answered"),
        ("tool", "noon", clock.id, "answered"),
        ("tool", "No.", cloak.id, "failed"),
        ("assistant", "It is No..", "", "answered"),
    ]
    assert {m.turn for m in session.history} == {1}
    assert session.history[1].thinking == "Hm, hm."
    assert [form.tools for form in engine.forms] == [(CLOCK,)] * 2


async def test_thoughts_stay_while_the_question_is_open_and_leave_the_context_after_it(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 18 of the session API: whether later turns see thoughts is a setting, off at first."""
    for keep, later in ((False, ["", ""]), (True, ["Hm, hm.", "So."])):
        session = await model.open_session(tools=[CLOCK], keep_thinking=keep)
        await session.start_turn("time?").finished()
        await session.start_turn(results=[]).finished()
        assert [m.thinking for m in engine.prompts[-1] if m.role == "assistant"] == ["Hm, hm."]
        await session.get_response("Thanks")
        assert [m.thinking for m in engine.prompts[-1] if m.role == "assistant"] == later


async def test_a_call_that_nobody_answers_has_a_result_all_the_same(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    """Case 17 of the session API."""
    session = await model.open_session(tools=[CLOCK])
    await session.start_turn("time?").finished()
    await session.get_response("Never mind")
    told = [(m.tool_name, m.text) for m in engine.prompts[-1] if m.role == "tool"]
    assert told == [("clock", UNANSWERED), ("cloak", "No.")]
    assert [m.outcome for m in session.history if m.role == "tool"] == ["stopped", "failed"]


async def test_results_are_kept_although_the_turn_that_brings_them_says_nothing(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(tools=[CLOCK])
    first = await session.start_turn("time?").finished()
    engine.gate.hold()
    turn = session.start_turn(results=[ToolResult(first.tool_calls[0].id, "noon")])
    await engine.gate.reached()
    turn.stop()
    assert not (await turn.finished()).kept
    engine.gate.open()
    assert [m.text for m in session.history if m.role == "tool"] == ["noon", "No."]


async def test_results_without_calls_and_calls_without_tools_are_refused(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session()
    with pytest.raises(SettingsError, match="has no tools"):
        session.start_turn("time?", tool_choice="required")
    with pytest.raises(GemmaChatError, match="No tool call waits"):
        session.start_turn(results=[])
    turn = session.start_turn("time?")
    with pytest.raises(GemmaChatError, match="turn 1 is not finished"):
        session.start_turn(results=[])
    one = (await turn.finished()).tool_calls[0]
    with pytest.raises(GemmaChatError, match="results and a question"):
        session.start_turn("And?", results=[])
    for wrong in ([ToolResult("call-9-9", "?")], [ToolResult(one.id, "a")] * 2):
        with pytest.raises(GemmaChatError, match="no open tool call"):
            session.start_turn(results=wrong)
    await session.start_turn(results=[]).finished()
    with pytest.raises(GemmaChatError, match="No tool call waits"):
        session.start_turn(results=[])


async def test_a_fork_and_a_rewind_keep_whole_exchanges_with_their_calls(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(tools=[CLOCK])
    await session.get_response("Hi")
    await session.start_turn("time?").finished()
    await session.start_turn(results=[]).finished()
    fork = await session.fork()
    assert (fork.history, fork.tools) == (session.history, (CLOCK,))
    await fork.rewind(1)
    assert [m.text for m in fork.history] == ["Hi", "Hello."]
    assert len(session.history) == 7


async def test_thinking_is_asked_of_the_engine_as_the_settings_say(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    session = await model.open_session(enable_thinking=True, thinking_budget=7)
    await session.get_response("Hi")
    session.settings = SessionSettings()
    await session.get_response("Hi")
    assert [(form.thinking, form.thinking_budget) for form in engine.forms] == [
        (True, 7),
        (False, None),
    ]


async def test_a_reply_that_is_only_a_thought_leaves_no_trace(model: InferenceModel) -> None:
    engine = ScriptedEngine(lambda _, __: [ReplyPart("thinking", "Hm."), " \n"])
    async with InferenceModel(engine) as other:
        session = await other.open_session()
        result = await session.start_turn("Hi").finished()
        assert (result.thinking, result.kept, session.history) == ("Hm.", False, ())
        assert result.thinking_seconds >= 0


calls = st.lists(
    st.builds(ToolCall, st.sampled_from("abc"), st.just("clock"), st.just("{}")), max_size=3
).map(lambda found: tuple({one.id: one for one in found}.values()))
stored = st.lists(
    st.builds(
        HistoryMessage,
        st.sampled_from(["user", "assistant", "tool"]),
        st.text(max_size=3),
        st.integers(-1, 5),
        tool_calls=calls,
        tool_call_id=st.sampled_from("abcd"),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(stored)
def test_any_stored_messages_become_a_history_in_which_every_call_has_one_result(
    messages: list[HistoryMessage],
) -> None:
    """Case 15 of the session API."""
    exchanges = restore(messages)
    assert restore(flatten(exchanges)) == exchanges
    waiting: list[str] = []
    for message in flatten(exchanges):
        if message.role == "tool":
            assert message.tool_call_id == waiting.pop(0)
        else:
            assert waiting == []
        if message.role == "assistant":
            assert message.text.strip() or message.tool_calls
            waiting = [one.id for one in message.tool_calls]
    assert waiting == []
