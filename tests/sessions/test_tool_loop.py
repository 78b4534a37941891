"""A chat with tools: calls are carried out, and the model goes on from their results."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import groupby
from typing import Any

import pytest
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
    GemmaChatError,
    SettingsError,
)
from gemma_chat.sessions.chat_turn import REPEATED
from gemma_chat.sessions.tool_calls import REFUSED


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
    """Case 17 of the session API."""
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
    """Case 17 of the session API."""
    chat, script, _, _ = await talk(call_of_add(), permission=permission)
    assert await chat.get_response("go") == "done"
    assert script.results == [REFUSED]
    assert outcomes(chat) == ["refused"]


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


async def test_the_results_of_a_reply_leave_most_of_the_context_to_its_answer(talk: Open) -> None:
    def much() -> str:
        return "first " + "word " * 3_000 + "last"

    chat, script, engine, _ = await talk([call("much"), call("much")], tools=[much])
    assert await chat.get_response("go") == "done"
    quarter = engine.description.context_size // 4
    assert all(result.startswith("first") for result in script.results)
    assert all(result.endswith("last") for result in script.results)
    assert quarter // 2 < sum(map(engine.count_tokens, script.results)) <= quarter


# ---------------------------------------------------------------- where it ends


async def test_after_so_many_turns_with_calls_the_model_must_answer(talk: Open) -> None:
    """Case 17 of the session API."""
    said = [[call("add", f'{{"a": {number}, "b": 1}}')] for number in range(20)]
    chat, script, engine, _ = await talk(*said[:8], "enough", tools=[add])
    assert await chat.get_response("go") == "enough"
    assert len(script.told) == 9
    assert [form.tool_choice for form in engine.forms] == ["auto"] * 8 + ["none"]
    assert outcomes(chat) == ["answered"] * 8


async def test_a_call_that_repeats_the_one_before_is_not_made_again(talk: Open) -> None:
    """Case 17 of the session API."""
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
