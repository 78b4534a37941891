"""What the model sees of a tab: the prompt itself, part by part, and what is not in it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Static, TextArea

from gemma_chat.host.protocol import Context
from gemma_chat.ui.context_words import heading_of, listing_of, prompt_of
from gemma_chat.ui.dialog import Dialog, DialogBox


class ContextScreen(Dialog[str]):
    """Answers with the prompt when it is to be copied."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ContextScreen DialogBox { width: 96; height: 90%; }
    ContextScreen.-low DialogBox { height: 100%; }
    ContextScreen #context-head { height: auto; color: $ink-quiet; margin-bottom: 1; }
    ContextScreen TextArea, ContextScreen TextArea:focus {
        height: 1fr; border: none; padding: 0; background: transparent;
    }
    ContextScreen Horizontal { height: 1; margin-top: 1; }
    ContextScreen.-low Horizontal { display: none; }
    """

    def __init__(self, context: Context, *, answering: bool) -> None:
        """The tab is `answering` when its prompt was asked for in the middle of a turn."""
        super().__init__()
        self._seen = context
        self._heading = heading_of(context, answering=answering)

    def compose(self) -> ComposeResult:
        with DialogBox("What the model sees", "c copies · esc closes"):
            yield Static(Content(self._heading), id="context-head", markup=False)
            yield TextArea(
                listing_of(self._seen), read_only=True, compact=True, highlight_cursor_line=False
            )
            with Horizontal():
                yield Button("Copy the prompt", id="copy", compact=True)

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_copy()

    def action_copy(self) -> None:
        """Close, and let the prompt be copied."""
        self.dismiss(prompt_of(self._seen))
