"""The text of a call while a model writes it: its length, and whether a string is open in it."""

from __future__ import annotations

from gemma_chat.engine.calls import MAX_CALL
from gemma_chat.engine.marks import CallMarks


class CallText:
    """Grows by what the model writes between the marks of a call."""

    def __init__(self, marks: CallMarks) -> None:
        self._marks = marks
        self._parts: list[str] = []
        self._length = 0
        self._strings = _JsonStrings()

    def __str__(self) -> str:
        return "".join(self._parts)

    @property
    def too_long(self) -> bool:
        """Whether it is longer than what is read of a call."""
        return self._length > MAX_CALL

    @property
    def within_string(self) -> bool:
        """Whether a mark that comes now is part of a string."""
        if self._marks.syntax == "json":
            # A closing mark on a line of its own is one: JSON has no line end within a string.
            return self._strings.open and not self._marks.closing.startswith("\n")
        return bool(str(self).count(self._marks.string) % 2)

    def add(self, text: str) -> None:
        """The call goes on."""
        if text:
            self._parts.append(text)
        self._length += len(text)
        if self._marks.syntax == "json":
            self._strings.read(text)

    def beginning(self, length: int) -> str:
        """At least its first `length` characters, as far as it has them."""
        # No part is empty, so as many parts are enough.
        return "".join(self._parts[:length])


class _JsonStrings:
    """Whether JSON, read bit by bit, is within a string. A line end is in no string."""

    def __init__(self) -> None:
        self.open = False
        self._escaped = False

    def read(self, text: str) -> None:
        """More of the JSON."""
        for character in text:
            if self._escaped:
                self._escaped = False
            elif character == '"':
                self.open = not self.open
            elif character == "\\":
                self._escaped = self.open
            elif character == "\n":
                self.open = False
