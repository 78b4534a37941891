"""The widget that paints a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from gemma_chat.host.protocol import MessageView, ScrollPosition


class Transcript(ScrollView, can_focus=True):
    """All messages of one conversation, painted line by line."""

    @dataclass
    class Scrolled(Message):
        """The reader moved."""

        position: ScrollPosition

    @dataclass
    class OlderWanted(Message):
        """The reader nears the first message; older ones would be welcome."""

        before: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._messages: dict[int, MessageView] = {}
        self._rows: list[str] = []

    def show(
        self, messages: Sequence[MessageView], scroll: ScrollPosition, *, key: object
    ) -> None:
        """Bind the view to another conversation."""
        self._messages = {message.message: message for message in messages}
        self._rebuild()

    def put(self, message: MessageView) -> None:
        """Show a new message, or one that changed as a whole."""
        self._messages[message.message] = message
        self._rebuild()

    def append(self, message: int, offset: int, text: str) -> bool:
        """Add streamed text; False when text in between is missing."""
        view = self._messages.get(message)
        if view is None or offset > len(view.text):
            return False
        self.put(msgspec.structs.replace(view, text=view.text[:offset] + text))
        return True

    def remove(self, message: int) -> None:
        """Take a message out."""
        self._messages.pop(message, None)
        self._rebuild()

    def prepend(self, messages: Sequence[MessageView]) -> None:
        """Add older messages above; the view does not jump."""
        self._messages |= {message.message: message for message in messages}
        self._rebuild()

    @property
    def scroll_position(self) -> ScrollPosition:
        """Where the reader stands."""
        return ScrollPosition()

    def to_end(self) -> None:
        """Go to the newest text and follow it."""
        self.scroll_end(animate=False)

    def _rebuild(self) -> None:
        self._rows = [
            row
            for _, message in sorted(self._messages.items())
            for row in (message.role, *message.text.split("\n"), "")
        ]
        self.virtual_size = Size(0, len(self._rows))
        self.scroll_end(animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one row."""
        y += self.scroll_offset.y
        text = self._rows[y] if y < len(self._rows) else ""
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(
            self.size.width, self.rich_style
        )
