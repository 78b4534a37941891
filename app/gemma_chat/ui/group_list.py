"""The list of groups: one is found by a few letters, or a new one is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual.app import ComposeResult
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gemma_chat.host.protocol import MAX_GROUP_CHARACTERS
from gemma_chat.quantities import counted
from gemma_chat.ui.dialog import DialogBox
from gemma_chat.ui.find_dialog import FindDialog
from gemma_chat.ui.tab_groups import NO_GROUP, TabGroup
from gemma_chat.ui.text import one_line, padded

_NAME_CELLS = 34


class GroupList(FindDialog[str]):
    """Answers with the name of a group; empty is that of the tabs without one."""

    DEFAULT_CSS = """
    GroupList OptionList, GroupList OptionList:focus {
        height: auto; max-height: 12; border: none; padding: 0; margin-top: 1;
        background: transparent;
    }
    GroupList.-low OptionList { margin-top: 0; }
    """

    def __init__(
        self,
        title: str,
        groups: Sequence[TabGroup],
        current: str,
        purpose: Literal["go to", "put into"],
    ) -> None:
        """`put into` offers a new group under the name that is typed, and no group at all."""
        super().__init__(OptionList(compact=True, markup=False))
        self._title = title
        self._purpose = purpose
        known = {group.name: _tabs(len(group.tabs)) for group in groups}
        if purpose == "put into":
            known.setdefault("", "")
        self._known = known
        self._current = current
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        advice = "enter goes there" if self._purpose == "go to" else "enter puts it there"
        with DialogBox(self._title, f"{advice} · esc closes"):
            placeholder = "a few letters" if self._purpose == "go to" else "a group, or a new name"
            yield Input(placeholder=placeholder, max_length=MAX_GROUP_CHARACTERS, compact=True)
            yield self._list

    def choose(self, place: int) -> None:
        if place < len(self._names):
            self.dismiss(self._names[place])

    def fill(self, typed: str) -> None:
        typed = " ".join(typed.split())
        self._names = matching(tuple(self._known), typed)
        is_new = self._purpose == "put into" and typed and typed not in self._known
        self._list.clear_options()
        self._list.add_options(Option(self._line(name)) for name in self._names)
        if is_new:
            self._names.append(typed)
            new = Content.assemble(("new: ", "$ink-mark"), one_line(typed, _NAME_CELLS))
            self._list.add_option(Option(new))
        if not self._names:
            self._list.add_option(Option("no group has these letters", disabled=True))
            return
        there = self._names.index(self._current) if self._current in self._names else 0
        self._list.highlighted = 0 if typed else there

    def _line(self, name: str) -> Content:
        here = "  ← here" if name == self._current else ""
        return Content.assemble(
            padded(one_line(name or NO_GROUP, _NAME_CELLS), _NAME_CELLS),
            (f"{self._known[name]}{here}", "$ink-quiet"),
        )


def matching(names: Sequence[str], typed: str) -> list[str]:
    """The groups that fit what was typed, the best first; all of them when nothing was."""
    if not typed:
        return list(names)
    matcher = Matcher(typed)
    scored = [(-matcher.match(name or NO_GROUP), n, name) for n, name in enumerate(names)]
    return [name for score, _, name in sorted(scored) if score < 0]


def _tabs(count: int) -> str:
    return counted(count, "tab")
