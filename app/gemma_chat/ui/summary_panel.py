"""The summary panel: the running summary of the active tab, and what the context has of it."""

from __future__ import annotations

import time
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static

from gemma_chat.ui.context_words import briefly
from gemma_chat.ui.state import TabState, TerminalState
from gemma_chat.ui.text import age, shown
from gemma_chat.ui.window import SidePanel

_MOST_SHOWN: Final = 50_000
"""Characters of a summary; no model writes so much, but a database may hold anything."""

_ACTIONS: Final = {
    "now": "summary.now",
    "copy": "summary.copy",
    "insert": "summary.insert",
    "context": "context.show",
    "pause": "summarizer.pause",
}


class SummaryPanel(SidePanel):
    """Shows the summary; asks to write it again, to copy or insert it, to pause the summarizer."""

    DEFAULT_CSS = """
    SummaryPanel #summary-head { height: 2; padding: 0 1; color: $ink-quiet; }
    SummaryPanel #summary-scroll { height: 1fr; padding: 1 1; scrollbar-size-vertical: 1; }
    SummaryPanel #summary-context { height: auto; padding-top: 1; color: $ink-quiet; }
    SummaryPanel .buttons { height: auto; padding: 0 1; }
    SummaryPanel Button { min-width: 0; width: auto; margin-right: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._head = Static(id="summary-head", markup=False)
        self._text = Static(markup=False)
        self._seen = Static(id="summary-context", markup=False)
        self._now = Button("Write again", id="now", compact=True)
        self._pause = Button("Pause", id="pause", compact=True)

    def compose(self) -> ComposeResult:
        yield self._head
        with VerticalScroll(id="summary-scroll"):
            yield self._text
            yield self._seen
        with Horizontal(classes="buttons"):
            yield self._now
            yield Button("Copy", id="copy", compact=True)
            yield Button("Insert", id="insert", compact=True)
            yield self._pause
        with Horizontal(classes="buttons"):
            yield Button("What the model sees", id="context", compact=True)

    def on_mount(self) -> None:
        self._now.focus()

    def show(self, state: TerminalState) -> None:
        tab = state.active_tab
        if tab is None:
            return
        summary = tab.view.summary
        self._text.update(Content(shown(summary.text, _MOST_SHOWN) or _NOTHING_YET))
        self._seen.update(Content(_in_context(tab)))
        self._head.update(Content.assemble(("Summary\n", "bold $ink-title"), _head(state)))
        self._now.label = "Write again" if summary.text else "Write now"
        self._pause.label = "Resume" if state.summarizer.paused else "Pause"

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.post_message(self.ActionPressed(_ACTIONS[message.button.id or "now"]))


_NOTHING_YET: Final = "Nothing yet. The summarizer writes it after a reply, when nobody waits."


def _in_context(tab: TabState) -> str:
    """What of the conversation the model sees as a summary, and which."""
    replaced = tab.view.replaced
    if not replaced.messages:
        return ""
    said = f"Context: {briefly(replaced)} (of {tab.view.message_count} messages)."
    if not replaced.summary:
        return said
    if replaced.summary == tab.view.summary.text:
        return f"{said} It is this summary."
    when = age(max(0.0, time.time() - replaced.decided))
    return f"{said} It is an older one, taken {when}:\n\n{shown(replaced.summary, _MOST_SHOWN)}"


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
