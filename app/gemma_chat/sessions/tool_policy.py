"""What a chat may do with the calls a model makes."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from gemma_chat.engine.interface import ToolCall
from gemma_chat.errors import SettingsError
from gemma_chat.tools.tool import MAX_RESULT_CHARACTERS

log = logging.getLogger(__name__)

MAX_TOOL_TURNS: Final = 8
TOOL_SECONDS: Final = 60.0

Permit = Callable[[ToolCall], bool | Awaitable[bool]]
Permission = Literal["always", "never"] | Permit
"""Whether a call may be carried out: always, never, or as a function says that is given the call.

The function may take its time, for a person to be asked, and others generate meanwhile. When it
raises, the call is refused.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPolicy:
    """How a chat carries out the calls of its model.

    Raises:
        SettingsError: A limit is not allowed.
    """

    permission: Permission = "always"
    max_tool_turns: int = MAX_TOOL_TURNS
    """How often in a row the model may make calls before it must answer."""
    seconds: float = TOOL_SECONDS
    """How long one call may run. Waiting for permission does not count."""
    max_result_characters: int = MAX_RESULT_CHARACTERS
    """A longer result is cut, with a note of what is missing."""

    def __post_init__(self) -> None:
        if self.max_tool_turns < 1:
            raise SettingsError(
                f"max_tool_turns = {self.max_tool_turns} is not allowed: 1 or more. "
                "Give no tools to have none called."
            )
        if not self.seconds > 0:
            raise SettingsError(f"seconds = {self.seconds} is not allowed: more than 0.")
        if self.max_result_characters < 100:
            raise SettingsError(
                f"max_result_characters = {self.max_result_characters} is not allowed: 100 or more."
            )
        if not callable(self.permission) and self.permission not in ("always", "never"):
            raise SettingsError(
                f"permission = {self.permission!r} is not allowed: 'always', 'never' or a function."
            )

    async def permits(self, call: ToolCall) -> bool:
        """Whether `call` may be carried out."""
        if not callable(self.permission):
            return self.permission == "always"
        try:
            answer = self.permission(call)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except Exception:
            log.exception("a call of %s was refused: asking for permission failed", call.name)
            return False


DEFAULT_POLICY: Final = ToolPolicy()
"""That of a program: it gave the tools, so they may be called."""
