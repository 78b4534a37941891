"""A reply as it grows: what was said, thought and called, kept apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gemma_chat.engine.interface import ReplyPart, ToolCall
from gemma_chat.sessions.events import Piece


@dataclass(slots=True)
class Reply:
    """What one turn has brought so far. Written by the engine thread alone.

    Args:
        name_call: gives an id to the call that comes after this many others of the reply.
    """

    name_call: Callable[[int], str] = "call-{}".format
    calls: list[ToolCall] = field(default_factory=list)
    thinking_seconds: float = 0.0
    _text: list[str] = field(default_factory=list)
    _thinking: list[str] = field(default_factory=list)
    _thinks_since: float | None = None

    @property
    def text(self) -> str:
        """The answer."""
        return "".join(self._text)

    @property
    def thinking(self) -> str:
        """What was thought before it."""
        return "".join(self._thinking)

    @property
    def says_something(self) -> bool:
        """Whether there is a visible character of an answer, or a call."""
        return bool(self.calls) or any(not piece.isspace() for piece in self._text)

    def take(self, parts: Sequence[ReplyPart]) -> list[Piece]:
        """More of the reply; returns it in pieces, calls with an id."""
        pieces = []
        for part in parts:
            self._time(part)
            if part.call is not None:
                call = part.call
                if not call.id:
                    call = replace(call, id=self.name_call(len(self.calls)))
                self.calls.append(call)
                pieces.append(Piece.of_call(call))
            elif part.text:
                (self._thinking if part.kind == "thinking" else self._text).append(part.text)
                pieces.append(Piece.of(part))
        return pieces

    def end(self) -> None:
        """Nothing more comes: thinking that was cut off ends here."""
        if self._thinks_since is not None:
            self.thinking_seconds += time.monotonic() - self._thinks_since
            self._thinks_since = None

    def _time(self, part: ReplyPart) -> None:
        if part.kind != "thinking":
            self.end()
        elif self._thinks_since is None:
            self._thinks_since = time.monotonic()
