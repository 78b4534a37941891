"""The jump list: find a tab by a few of its letters."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gemma_chat.ui.dialog import DialogBox
from gemma_chat.ui.find_dialog import FindDialog
from gemma_chat.ui.signs import sign_of
from gemma_chat.ui.state import TabState, TerminalState
from gemma_chat.ui.tab_marks import PINNED, mark_named
from gemma_chat.ui.text import LINE_CELLS, NAME_CELLS, one_line

_TITLE_CELLS = 40
_SIGN_STYLES = {
    "holding": "$ink-good",
    "waiting": "$ink-wait",
    "failed": "bold $ink-bad",
    "unread": "$ink-mark",
}


class JumpList(FindDialog[int]):
    """Answers with the session of the chosen tab."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+g", "give_up", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    JumpList DialogBox { width: 76; }
    JumpList OptionList, JumpList OptionList:focus {
        height: auto; max-height: 16; border: none; padding: 0; margin-top: 1;
        background: transparent; text-wrap: nowrap; text-overflow: ellipsis;
    }
    JumpList.-low OptionList { margin-top: 0; }
    """

    def __init__(self, state: TerminalState) -> None:
        super().__init__(OptionList(compact=True))
        self._state = state

    def compose(self) -> ComposeResult:
        with DialogBox("Jump to a tab", "enter goes there · esc closes"):
            yield Input(placeholder="a few letters of title or group, or its number", compact=True)
            yield self._list

    def choose(self, place: int) -> None:
        option = self._list.get_option_at_index(place)
        self.dismiss(int(option.id or 0))

    def fill(self, typed: str) -> None:
        found = matching(self._state, typed)
        self._list.clear_options()
        self._list.add_options(
            Option(self._line(number, tab), id=str(tab.session)) for number, tab in found
        )
        if not found:
            self._list.add_option(Option("no tab has these letters", disabled=True))
            return
        active = next((i for i, (_, t) in enumerate(found) if t.session == self._state.active), 0)
        self._list.highlighted = 0 if typed else active

    def _line(self, number: int, tab: TabState) -> Content:
        sign = sign_of(self._state, tab)
        mark = mark_named(tab.view.mark)
        parts = [
            Content.styled(f"{number:>3} ", "$ink-quiet"),
            Content.styled(f"{PINNED} " if tab.view.pinned else "", "$ink-mark"),
            Content.styled(f"{mark.sign} " if mark else "", f"${mark.ink}" if mark else ""),
            Content(one_line(tab.title, _TITLE_CELLS)),
        ]
        if tab.view.group:
            parts.append(Content.styled(f"  {one_line(tab.view.group, 16)}", "$ink-quiet"))
        if sign.text:
            style = _SIGN_STYLES.get(sign.kind, "$ink-quiet")
            parts.append(Content.styled(f"  {sign.text} {sign.meaning}", style))
        return Content.assemble(*parts)


def matching(state: TerminalState, wanted: str) -> list[tuple[int, TabState]]:
    """The tabs, with their numbers, that fit what was typed: the best first.

    A number finds the tab that has it, whatever the titles say.
    """
    numbered = list(enumerate(state.tabs, 1))
    if not wanted:
        return numbered
    matcher = Matcher(wanted)
    scored = []
    for number, tab in numbered:
        title, group = one_line(tab.title, LINE_CELLS), one_line(tab.view.group, NAME_CELLS)
        named = (title, f"{group} {title}", f"{title} {group}") if group else (title,)
        score = 1e9 if wanted == str(number) else max(map(matcher.match, named))
        if score > 0:
            scored.append((-score, number, tab))
    scored.sort(key=lambda entry: entry[:2])
    return [(number, tab) for _, number, tab in scored]
