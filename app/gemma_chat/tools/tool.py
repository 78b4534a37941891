"""One tool: what the model is told of it, and what runs."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gemma_chat.engine.interface import ToolSpec
from gemma_chat.errors import ToolError, visible

MAX_ARGUMENT_CHARACTERS: Final = 200_000
MAX_RESULT_CHARACTERS: Final = 16_000
"""A longer result is cut, so that one call cannot fill the context."""
MAX_DESCRIPTION_CHARACTERS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that can be called.

    `run` takes the arguments as the text of a JSON object and gives the result as text. It raises
    `ToolError` with a sentence for the model when the call cannot be carried out.
    """

    spec: ToolSpec
    run: Callable[[str], Awaitable[str]]

    @property
    def name(self) -> str:
        """The name under which the model calls it."""
        return self.spec.name


def spec_of(name: str, description: str, parameters: str) -> ToolSpec:
    """A `ToolSpec` of a description that may come from anywhere.

    Its control characters are made visible, and what is too long of it is cut off.
    """
    return ToolSpec(name, bounded(visible(description), MAX_DESCRIPTION_CHARACTERS), parameters)


def bounded(text: str, limit: int = MAX_RESULT_CHARACTERS) -> str:
    """`text`, or its beginning with a note of how much is missing; at most `limit` characters."""
    if len(text) <= limit:
        return text
    note = f"\n[cut: the whole has {len(text):,} characters]"
    return text[: limit - len(note)] + note


def object_of(name: str, arguments: str) -> dict[str, object]:
    """The arguments of a call of the tool `name`; raises `ToolError` when they are no object."""
    refuse_too_long(name, arguments)
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ToolError(f"The arguments of {name} are not a JSON object.")
    return value


def refuse_too_long(name: str, arguments: str) -> None:
    """Raise `ToolError` when the arguments of a call are too long to be read."""
    if len(arguments) > MAX_ARGUMENT_CHARACTERS:
        raise ToolError(
            f"The arguments of {name} have {len(arguments):,} characters; at most "
            f"{MAX_ARGUMENT_CHARACTERS:,} are allowed. Say it shorter."
        )
