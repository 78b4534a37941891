"""Which tools a chat may have, and what its calls may do."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sessions.conftest import assert_used_well, until
from tests.sessions.scripted import ScriptedEngine
from tests.sessions.tools import (
    Open,
    Script,
    add,
    call_of_add,
    scripted,
)

from gemma_chat import sync
from gemma_chat.engine.interface import ToolSpec
from gemma_chat.errors import (
    SettingsError,
    ToolError,
)
from gemma_chat.sessions.tool_policy import ToolPolicy


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
        assert (chat.metrics.generated_tokens, chat.totals.turns) == (2, 4)
        assert chat.metrics.evaluated_tokens > chat.session.metrics.evaluated_tokens
        turn = chat.start_turn("and again?")
        assert (turn.finished().text, turn.state) == ("done", "finished")
        assert chat.turns == ()
        chat.tool_policy = ToolPolicy(permission="never")
        with chat.fork() as branch:
            assert (branch.tools, branch.tool_policy) == (chat.tools, chat.tool_policy)
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
