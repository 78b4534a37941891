"""What a model wrote as a call of a tool, read as strictly as whatever carries it out needs.

A model's writing is not trusted: whatever is wrong with it becomes a call with an `error`, a
sentence for the model, and never an exception.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from gemma_chat.engine.gemma_notation import NotationError, parse_call
from gemma_chat.engine.interface import ToolCall, ToolSpec
from gemma_chat.engine.marks import CallMarks
from gemma_chat.engine.tool_schema import fault

MAX_CALL = 200_000
"""Characters of a call that are read; a longer one fails."""

CUT_OFF = "The call was cut off before its end. Make it shorter, or raise the reply limit."
TOO_LONG = f"The call is longer than {MAX_CALL} characters; pass less in its arguments."

_NAME = re.compile(r'"name"\s*:\s*"([^"\\]{1,80})"|call:([\w.-]{1,80})')
_ARGUMENTS = re.compile(r'"(?:arguments|parameters)"\s*:\s*')
_LONGEST_NAME = 80


class _Malformed(ValueError):
    """The call cannot be read; the message says why, for the model."""


def read_call(text: str, marks: CallMarks, tools: Sequence[ToolSpec]) -> ToolCall:
    """The call written as `text`, without its marks."""
    if len(text) > MAX_CALL:
        return failed_call(text, TOO_LONG)
    try:
        if marks.syntax == "gemma":
            name, arguments = parse_call(text.strip(), marks.string)
            source = json.dumps(arguments, ensure_ascii=False)
        else:
            name, arguments, source = _read_json(text.strip())
    except (_Malformed, NotationError) as error:
        return failed_call(text, f"The call cannot be read: {error}.")
    except RecursionError:
        return failed_call(text, "The call cannot be read: its arguments are nested too deeply.")
    return ToolCall("", name, source, wrong_use(name, arguments, tools))


def wrong_use(name: str, arguments: Any, tools: Sequence[ToolSpec]) -> str:
    """Why a call that could be read cannot be carried out; empty when it can."""
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        known = ", ".join(tool.name for tool in tools) or "none"
        return f"There is no tool {name!r}; the tools are: {known}."
    try:
        wrong = fault(arguments, json.loads(tool.parameters))
    except (ValueError, RecursionError):
        return ""
    return f"The arguments of {name} are not allowed: {wrong}." if wrong else ""


def failed_call(text: str, error: str) -> ToolCall:
    """A call that cannot be read, with as much of its name as can be."""
    found = _NAME.search(text, 0, 1000)
    name = (found.group(1) or found.group(2)) if found else "?"
    return ToolCall("", name, "{}", error)


def is_call(text: str, tools: Sequence[ToolSpec]) -> bool:
    """Whether a whole reply in JSON is a call of one of `tools`, and not just an object."""
    try:
        name, _, _ = _read_json(text.strip())
    except (_Malformed, RecursionError):
        return False
    return any(tool.name == name for tool in tools)


def _read_json(text: str) -> tuple[str, dict[str, Any], str]:
    """Name and arguments of `{"name": …, "arguments": {…}}`, and the arguments as written."""
    call = _loads(text, "it")
    if not isinstance(call, dict):
        raise _Malformed('it must be an object {"name": …, "arguments": {…}}')
    name = call.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise _Malformed('"name" must be the name of a tool')
    arguments: Any = call.get("arguments", call.get("parameters", {}))
    if isinstance(arguments, str):
        source = arguments
        arguments = _loads(source, '"arguments"')
    else:
        source = _as_written(text, arguments)
    if not isinstance(arguments, dict):
        raise _Malformed('"arguments" must be an object')
    return name, arguments, source


def _loads(text: str, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _Malformed(f"{what} is not JSON ({error.msg} at character {error.pos})") from None
    except ValueError as error:
        raise _Malformed(f"{what} is not JSON ({error})") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _as_written(text: str, arguments: Any) -> str:
    """The arguments with the spacing of the model: written so again, its tokens stay the same."""
    decoder = json.JSONDecoder()
    for found in _ARGUMENTS.finditer(text, 0, 1000):
        try:
            value, end = decoder.raw_decode(text, found.end())
        except ValueError:
            continue
        if value == arguments:
            return text[found.end() : end]
    return json.dumps(arguments, ensure_ascii=False)
