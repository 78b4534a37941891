"""The summary panel: the running summary of the active tab, its age, and the summarizer."""

from __future__ import annotations

import time

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import age
from gemma_chat.ui.window import SidePanel


class SummaryPanel(SidePanel):
    """Shows the summary; asks to bring it up to date, and to pause the summarizer."""

    DEFAULT_CSS = """
    SummaryPanel #summary-head { height: 2; padding: 0 1; color: $ink-quiet; }
    SummaryPanel #summary-scroll { height: 1fr; padding: 1 1; scrollbar-size-vertical: 1; }
    SummaryPanel #summary-buttons { height: auto; padding: 0 1; }
    SummaryPanel Button { min-width: 0; width: auto; margin-right: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._head = Static(id="summary-head", markup=False)
        self._text = Static(markup=False)
        self._now = Button("Bring up to date now", id="now", compact=True)
        self._pause = Button("Pause", id="pause", compact=True)

    def compose(self) -> ComposeResult:
        yield self._head
        with VerticalScroll(id="summary-scroll"):
            yield self._text
        with Horizontal(id="summary-buttons"):
            yield self._now
            yield self._pause

    def on_mount(self) -> None:
        self._now.focus()

    def show(self, state: TerminalState) -> None:
        tab = state.active_tab
        if tab is None:
            return
        summary = tab.view.summary
        self._text.update(Content(summary.text or _NOTHING_YET))
        self._head.update(Content.assemble(("Summary\n", "bold $ink-title"), _head(state)))
        self._pause.label = "Resume" if state.summarizer.paused else "Pause"

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        action = "summary.now" if message.button is self._now else "summarizer.pause"
        self.post_message(self.ActionPressed(action))


_NOTHING_YET = "Nothing yet. The summarizer writes it after a reply, when nobody waits."


def _head(state: TerminalState) -> str:
    tab = state.active_tab
    if tab is None:
        return ""
    summary = tab.view.summary
    if state.summarizer.session == tab.session:
        return "being written now"
    if tab.session in state.summarizer.pending:
        return "waits for its turn" if not state.summarizer.paused else "waits; paused"
    if not summary.text:
        return "paused" if state.summarizer.paused else ""
    paused = " · summarizer paused" if state.summarizer.paused else ""
    return f"{age(max(0.0, time.time() - summary.updated))}{paused}"
