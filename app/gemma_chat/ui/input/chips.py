"""What is folded away in the input: one line for a paste of thousands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from gemma_chat.ui.input.files import FRAME_LINES, name_of_block
from gemma_chat.ui.text import HEADING_CELLS, NAME_CELLS, one_line

_REMOVE = " ✕"


def described(paste: str) -> str:
    """What is folded and how much: `pasted 12,400 lines`, `file notes.md, 80 lines`."""
    lines = paste.count("\n") + 1
    if name := name_of_block(paste):
        return f"file {one_line(name, HEADING_CELLS)}, {lines - FRAME_LINES:,} lines"
    return f"pasted {lines:,} lines" if lines > 1 else f"pasted {len(paste):,} characters"


class PasteChip(Static, can_focus=True):
    """One folded paste: its size and its beginning. A click opens it, one on the ✕ removes it."""

    DEFAULT_CSS = """
    PasteChip { height: 1; width: 1fr; color: $ink-mark; padding: 0 1; }
    PasteChip:hover { background: $boost; }
    PasteChip:focus { background: $cursor-ground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", show=False),
        Binding("delete,backspace", "remove", show=False),
    ]

    @dataclass
    class Removed(Message):
        """A person took the paste out."""

        index: int

    @dataclass
    class Opened(Message):
        """A person wants to see the paste."""

        index: int

    def __init__(self, index: int, paste: str) -> None:
        self._index = index
        self._words = f"▤ {described(paste)}"
        self._beginning = "" if name_of_block(paste) else paste[:400].strip()
        super().__init__(markup=False)

    def on_mount(self) -> None:
        self._fit(self.app.size.width - 4)

    def on_resize(self, event: events.Resize) -> None:
        self._fit(event.size.width)

    def _fit(self, cells: int) -> None:
        room = cells - cell_len(self._words) - cell_len(_REMOVE) - 2
        beginning = one_line(self._beginning, min(room, NAME_CELLS)) if room > 6 else ""
        before = f"{self._words}  {beginning}".rstrip()
        self._remove_at = cell_len(before)
        self.update(Content(before + _REMOVE), layout=False)

    def on_click(self, event: events.Click) -> None:
        # The content begins behind one cell of padding.
        if event.x - 1 >= self._remove_at:
            self.action_remove()
        else:
            self.action_open()

    def action_open(self) -> None:
        """Show what was pasted."""
        self.post_message(self.Opened(self._index))

    def action_remove(self) -> None:
        """Take it out of the message."""
        self.post_message(self.Removed(self._index))
