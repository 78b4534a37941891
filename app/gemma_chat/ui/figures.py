"""The dialog with the figures of one reply."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gemma_chat.host.protocol import MessageView
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.reply_figures import figures_of

_NAME_CELLS = 18


class FiguresDialog(Dialog[None]):
    """Shows the figures; escape, q or i closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,i,enter", "give_up", show=False)]
    DEFAULT_CSS = """
    FiguresDialog VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; }
    FiguresDialog.-low DialogBox { height: 100%; }
    FiguresDialog.-low VerticalScroll { height: 1fr; }
    """

    def __init__(self, reply: MessageView) -> None:
        super().__init__()
        self._reply = reply

    def compose(self) -> ComposeResult:
        lines = [
            Content.assemble((f"{name:<{_NAME_CELLS + 2}}", "$ink-quiet"), figure)
            for name, figure in figures_of(self._reply)
        ]
        with DialogBox("Figures of this reply", "esc closes"), VerticalScroll():
            yield Static(Content("\n").join(lines), markup=False)
