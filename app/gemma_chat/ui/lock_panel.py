"""The panel of the generation lock: live, and everything in it can be moved, ended or gone to."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from gemma_chat.ui.lock_list import LockList
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.window import SidePanel

_ADVICE = "enter goes there · u sooner · d later\nx ends it · esc closes"


class LockPanel(SidePanel):
    """Who generates, who waits, what is done behind, and what it takes in memory."""

    DEFAULT_CSS = """
    LockPanel #lock-title { padding: 0 1; color: $ink-title; text-style: bold; }
    LockPanel #lock-advice {
        height: 3; padding: 0 1; color: $ink-quiet; border-top: solid $foreground 15%;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._list = LockList()

    def compose(self) -> ComposeResult:
        yield Static(Content("Generation lock"), id="lock-title", markup=False)
        yield self._list
        yield Static(Content(_ADVICE), id="lock-advice", markup=False)

    def on_mount(self) -> None:
        self._list.focus()

    def show(self, state: TerminalState) -> None:
        self._list.show(state)
