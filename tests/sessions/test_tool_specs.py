"""What can be told to a model as a tool."""

from __future__ import annotations

from typing import Any

import pytest

from gemma_chat.engine.interface import ToolSpec
from gemma_chat.errors import SettingsError
from gemma_chat.sessions.tool_specs import checked_tools


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ([object()], "ToolSpec"),
        ([ToolSpec("a b", "", "{}")], "named 'a b'"),
        ([ToolSpec("a", "", "[]")], "JSON object"),
        ([ToolSpec("a", "", "{" * 99_999)], "not JSON"),
        ([ToolSpec("a", "x" * 100_001, "{}")], "100003 characters"),
        ([ToolSpec("a", "", "{}")] * 2, "its own name"),
        ([ToolSpec("a", "", "{}")] * 200, "too many"),
    ],
)
def test_what_is_no_tool_is_refused_with_a_sentence(tools: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        checked_tools(tools)


def test_tools_with_the_schema_of_an_object_are_taken_as_they_are() -> None:
    tools = (
        ToolSpec("clock", "Tells the time.", "{}"),
        ToolSpec("a.b-c_1", "", '{"type":"object"}'),
    )
    assert checked_tools(list(tools)) == tools
