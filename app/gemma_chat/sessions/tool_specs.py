"""The tools of a session: what a name and a schema must be to be told to a model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from gemma_chat.engine.interface import ToolSpec
from gemma_chat.errors import SettingsError

MAX_TOOLS = 128
MAX_DEFINITION = 100_000
"""Characters of one tool's description and schema together."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def checked_tools(tools: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
    """`tools`, fit to be told to a model.

    Raises:
        SettingsError: There are too many, a name is not allowed or given twice, or `parameters`
            is not the JSON schema of an object.
    """
    if len(tools) > MAX_TOOLS:
        raise SettingsError(f"{len(tools)} tools are too many: at most {MAX_TOOLS} are allowed.")
    names: set[str] = set()
    for tool in tools:
        _check(tool)
        if tool.name in names:
            raise SettingsError(f"Two tools are named {tool.name!r}; give each its own name.")
        names.add(tool.name)
    return tuple(tools)


def _check(tool: ToolSpec) -> None:
    if not isinstance(tool, ToolSpec):
        raise SettingsError(f"A tool is a ToolSpec, not {type(tool).__name__}.")
    if not _NAME.fullmatch(tool.name):
        raise SettingsError(
            f"A tool cannot be named {tool.name[:80]!r}: 1 to 64 letters, digits, '_', '-' and '.' "
            "that begin with a letter or '_'."
        )
    size = len(tool.description) + len(tool.parameters)
    if size > MAX_DEFINITION:
        raise SettingsError(
            f"The definition of the tool {tool.name} has {size} characters; "
            f"at most {MAX_DEFINITION} are allowed."
        )
    try:
        schema = json.loads(tool.parameters)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"The schema of the tool {tool.name} is not JSON: {error}.") from None
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise SettingsError(f"The schema of the tool {tool.name} must describe a JSON object.")
