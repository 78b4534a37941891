"""The dialog that shows a folded paste whole."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, TextArea

from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.input.chips import described
from gemma_chat.ui.text import shown

Wish = Literal["unfold", "remove"]

MOST_SHOWN = 2_000_000
MOST_UNFOLDED = 200_000
"""Characters; with more than this in it, the editor would be slow at every key."""


class PasteView(Dialog[Wish]):
    """Answers with what is to be done with the paste."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+e", "answer('unfold')", show=False, priority=True),
        Binding("ctrl+d", "answer('remove')", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    PasteView DialogBox { width: 90%; height: 90%; }
    PasteView.-low DialogBox { height: 100%; }
    PasteView TextArea, PasteView TextArea:focus {
        height: 1fr; border: none; padding: 0; background: transparent;
    }
    PasteView Horizontal { height: 1; margin-top: 1; }
    PasteView.-low Horizontal { margin-top: 0; }
    PasteView.-narrow Horizontal { layout: vertical; height: 2; }
    PasteView Button { margin-right: 2; }
    """

    def __init__(self, paste: str) -> None:
        super().__init__()
        self._paste = paste

    def compose(self) -> ComposeResult:
        safe = shown(self._paste, MOST_SHOWN)
        with DialogBox(described(self._paste).capitalize(), "esc closes"):
            yield TextArea(
                safe, read_only=True, soft_wrap=False, compact=True, highlight_cursor_line=False
            )
            with Horizontal():
                yield Button("Put into the text  ctrl+e", id="unfold", compact=True)
                yield Button("Remove  ctrl+d", id="remove", compact=True)

    def on_button_pressed(self, message: Button.Pressed) -> None:
        self.dismiss("unfold" if message.button.id == "unfold" else "remove")

    def action_answer(self, wish: Wish) -> None:
        """Close with this answer."""
        self.dismiss(wish)
