"""The dialog in which one of many things is found by a few letters, with a look at what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from gemma_chat.ui.dialog import DialogBox
from gemma_chat.ui.find_dialog import FindDialog
from gemma_chat.ui.text import LINE_CELLS, NOTICE_CELLS, SENTENCE_CELLS, one_line, shown

_NAME_CELLS = 200
_MOST_SHOWN = 4_000
MOST_LISTED = 300


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose."""

    name: str
    explanation: str = ""
    body: str = ""
    """What is shown beside the list while it is marked."""


class Chooser(FindDialog[int]):
    """Answers with the number of the choice, from 0."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "move(-1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Chooser DialogBox { width: 92; height: 24; }
    Chooser.-low DialogBox { height: 100%; max-height: 100%; }
    Chooser Horizontal { height: 1fr; margin-top: 1; }
    Chooser.-low Horizontal { margin-top: 0; }
    Chooser OptionList {
        width: 30; height: 1fr; border: none; padding: 0; background: transparent;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    Chooser.-wide-list OptionList { width: 3fr; }
    Chooser.-wide-list VerticalScroll { width: 2fr; }
    Chooser VerticalScroll {
        width: 1fr; border-left: solid $foreground 15%; padding: 0 1; scrollbar-size-vertical: 1;
    }
    Chooser.-narrow OptionList { width: 1fr; }
    Chooser.-narrow VerticalScroll { display: none; }
    """

    def __init__(
        self, title: str, choices: Sequence[Choice], *, advice: str, nothing: str, typed: str = ""
    ) -> None:
        """`nothing` is said where no choice fits; `typed` stands in the field at first."""
        super().__init__(OptionList(compact=True, markup=False))
        self._title = title
        self._choices = tuple(choices)
        self._advice = advice
        self._nothing = nothing
        self._typed = one_line(typed, NOTICE_CELLS)
        self._found: tuple[int, ...] = ()
        self._page = Static(markup=False)
        self.set_class(not any(choice.explanation for choice in choices), "-wide-list")

    def compose(self) -> ComposeResult:
        with DialogBox(self._title, f"{self._advice} · esc closes"):
            yield Input(self._typed, placeholder="a few letters", compact=True)
            with Horizontal():
                yield self._list
                with VerticalScroll(can_focus=False):
                    yield self._page

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        if message.option_index < len(self._found):
            self._show(self._choices[self._found[message.option_index]])

    def choose(self, place: int) -> None:
        if place < len(self._found):
            self.dismiss(self._found[place])

    def fill(self, typed: str) -> None:
        self._found = tuple(matching(self._choices, typed)[:MOST_LISTED])
        self._list.clear_options()
        self._list.add_options(
            Option(Content(one_line(self._choices[number].name, _NAME_CELLS)))
            for number in self._found
        )
        if self._found:
            self._list.highlighted = 0
        else:
            self._list.add_option(Option(Content(self._nothing), disabled=True))
            self._page.update("")

    def _show(self, choice: Choice) -> None:
        parts: list[Content] = []
        if choice.explanation:
            parts += [
                Content.styled(one_line(choice.explanation, SENTENCE_CELLS), "$ink-title"),
                Content("\n\n"),
            ]
        parts.append(Content(shown(choice.body, _MOST_SHOWN)))
        self._page.update(Content.assemble(*parts))


def matching(choices: Sequence[Choice], wanted: str) -> list[int]:
    """The numbers of the choices that fit: by their name first, then by words in their text."""
    if not wanted:
        return list(range(len(choices)))
    matcher = Matcher(wanted)
    words = wanted.lower().split()
    scored = []
    for number, choice in enumerate(choices):
        text = f"{choice.name}\n{choice.explanation}\n{choice.body}".lower()
        whole = all(word in text for word in words)
        score = matcher.match(one_line(choice.name, LINE_CELLS))
        if whole or (score > 0 and choice.explanation):
            scored.append((not whole, -score if choice.explanation else 0, number))
    return [number for _, _, number in sorted(scored)]
