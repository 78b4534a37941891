"""The question whether a call of the model may be carried out: in its tab, above the input.

It blocks nothing: other tabs go on, and so does typing here. The keyboard stays in the input.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widgets import Static

from gemma_chat.host.protocol import ToolAnswer, ToolQuestion
from gemma_chat.ui.keymap import Keymap
from gemma_chat.ui.sizes import NARROW
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import LINE_CELLS, one_line

MAX_SHOWN = 600
"""Characters of the arguments that are shown; the transcript has them all."""

CHOICES: tuple[tuple[ToolAnswer, str, str], ...] = (
    ("once", "once", "once"),
    ("always", "always in this tab", "always"),
    ("never", "never", "never"),
)
"""Each answer with its words, and with those for a narrow window."""


class Choice(Static):
    """One answer, to be clicked."""

    DEFAULT_CSS = """
    Choice { width: auto; height: 1; padding: 0 1; margin-right: 1; background: $panel; }
    Choice:hover { background: $primary 40%; }
    """

    @dataclass
    class Pressed(Message):
        """A person clicked this answer."""

        answer: ToolAnswer

    def __init__(self, answer: ToolAnswer, key: str, words: str, short: str) -> None:
        self._label, self._short = f"{key} {words}".lstrip(), f"{key} {short}".lstrip()
        super().__init__(Content(self._label), id=f"tool-{answer}", markup=False)
        self._answer: ToolAnswer = answer

    def fit(self, *, narrow: bool) -> None:
        """Say it in the words for a window of this width."""
        self.update(Content(self._short if narrow else self._label))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Pressed(self._answer))


class ToolPrompt(Vertical):
    """Asks about the oldest open call of the tab that is shown."""

    DEFAULT_CSS = """
    ToolPrompt {
        height: auto;
        max-height: 8;
        padding: 0 1;
        border-left: outer $ink-wait;
        background: $surface;
        display: none;
    }
    ToolPrompt #tool-question { height: auto; max-height: 6; }
    ToolPrompt Horizontal { height: 1; }
    """

    def __init__(self, keymap: Keymap) -> None:
        super().__init__(id="tool-prompt")
        self._asking: tuple[ToolQuestion, ...] = ()
        self._question = Static(id="tool-question", markup=False)
        self._choices = [
            Choice(answer, keymap.first_key(f"tool.{answer}"), words, short)
            for answer, words, short in CHOICES
        ]

    def compose(self) -> ComposeResult:
        yield self._question
        with Horizontal():
            yield from self._choices

    def fit_window(self, window: Size) -> None:
        """Take the words that suit a window of this size."""
        for choice in self._choices:
            choice.fit(narrow=window.width < NARROW)

    def show(self, state: TerminalState) -> None:
        """Ask what the active tab asks, or nothing."""
        tab = state.active_tab
        asking = () if tab is None else tab.view.asking
        if asking == self._asking:
            return
        self._asking = asking
        self.display = bool(asking)
        if asking:
            self._question.update(question_text(asking[0], len(asking) - 1))


def question_text(question: ToolQuestion, others: int) -> Content:
    """What is asked; names and arguments come from a model and are shown as they are."""
    more = f"  ({others} more)" if others else ""
    return Content.assemble(
        ("? Call ", "$ink-wait"),
        (one_line(question.name, LINE_CELLS), "bold"),
        f" with {one_line(question.arguments, MAX_SHOWN)}",
        (more, "$ink-quiet"),
    )
