"""The list of groups: one is found by a few letters, or a new one is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from gemma_chat.host.protocol import MAX_GROUP_CHARACTERS
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.tab_groups import NO_GROUP, TabGroup
from gemma_chat.ui.text import one_line, padded

_NAME_CELLS = 34


class GroupList(Dialog[str]):
    """Answers with the name of a group; empty is that of the tabs without one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    GroupList Input, GroupList Input:focus { border: none; height: 1; padding: 0; }
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
        super().__init__()
        self._title = title
        self._purpose = purpose
        known = {group.name: _tabs(len(group.tabs)) for group in groups}
        if purpose == "put into":
            known.setdefault("", "")
        self._known = known
        self._current = current
        self._names: list[str] = []
        self._list = OptionList(compact=True, markup=False)
        self._list.can_focus = False

    def compose(self) -> ComposeResult:
        advice = "enter goes there" if self._purpose == "go to" else "enter puts it there"
        with DialogBox(self._title, f"{advice} · esc closes"):
            placeholder = "a few letters" if self._purpose == "go to" else "a group, or a new name"
            yield Input(placeholder=placeholder, max_length=MAX_GROUP_CHARACTERS, compact=True)
            yield self._list

    def on_mount(self) -> None:
        self._fill("")

    def on_input_changed(self, message: Input.Changed) -> None:
        self._fill(" ".join(message.value.split()))

    def on_input_submitted(self) -> None:
        self._choose(self._list.highlighted)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self._choose(message.option_index)

    def action_move(self, step: int) -> None:
        """Mark the group above or below."""
        if step > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def _choose(self, index: int | None) -> None:
        if index is not None and index < len(self._names):
            self.dismiss(self._names[index])

    def _fill(self, typed: str) -> None:
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
    return f"{count} tab{'' if count == 1 else 's'}"
