"""What can be done with a tab in the tab bar: move, pin, mark, put into a group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.actions import action
from gemma_chat.ui.state import TabState
from gemma_chat.ui.tab_groups import (
    NO_GROUP,
    group_beside,
    groups_of,
    stretch_of,
    tab_to_show,
)
from gemma_chat.ui.tab_marks import MARKS, mark_named
from gemma_chat.ui.text import HEADING_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp

_TITLE_CELLS: Final = 40
_NO_MARK: Final = "none"


class TabCommands:
    """Carries out these actions for the app that owns it; all are about the active tab."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.by_id: Mapping[str, Callable[[], None]] = {
            "tab.menu": self.menu,
            "tab.move_left": lambda: self.move(-1),
            "tab.move_right": lambda: self.move(1),
            "tab.pin": self.pin,
            "tab.mark": self.choose_mark,
            "tab.group": self.choose_group_for_tab,
            "group.switch": self.choose_group,
            "group.next": lambda: self.go_to_group(1),
            "group.previous": lambda: self.go_to_group(-1),
            "group.rename": self.rename_group,
        }

    # ------------------------------------------------------------ the menu of a tab

    def menu(self, session: int = 0) -> None:
        """Let the person choose among all that can be done with a tab, which is shown for it."""
        app = self._app
        if session:
            app.show_tab(session)
        tab = app.state.active_tab
        if tab is None:
            return
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        names = {"tab.pin": "Take the pin away"} if tab.view.pinned else {}
        choices = []
        for id_, key in _MENU:
            each = action(id_)
            own_key = app.keymap.first_key(id_)
            choices.append(Choice(id_, names.get(id_, each.label), own_key, key))

        def chosen(id_: str | None) -> None:
            if id_ is not None:
                app.action_run(id_)

        title = one_line(tab.title, _TITLE_CELLS)
        app.push_screen(ChoiceDialog(title, choices, "enter does it · esc closes"), chosen)

    # ------------------------------------------------------------ order and pins

    def move(self, step: Literal[-1, 1]) -> None:
        """Move the tab one place to the left or right, within its group."""
        tab = self._app.state.active_tab
        if tab is None:
            return
        place = self._app.state.number(tab.session) - 1 + step
        if place in stretch_of(self._app.state, tab):
            self.move_to(tab.session, place)

    def move_to(self, session: int, place: int) -> None:
        """Put a tab at a place of the bar, from 0."""
        self._arrange(p.MoveTab(0, session, place))

    def pin(self) -> None:
        """Pin the tab, or take its pin away."""
        tab = self._app.state.active_tab
        if tab is not None:
            self._arrange(p.PinTab(0, tab.session, not tab.view.pinned))

    def keeps_open(self, tab: TabState) -> bool:
        """Whether a tab must not be closed; says why."""
        if tab.view.pinned:
            menu = self._app.keymap.shown("tab.menu")
            self._app.say(
                f"“{one_line(tab.title, _TITLE_CELLS)}” is pinned and stays open. "
                f"Take the pin away first: {menu}, or /pin.",
                "information",
            )
        return tab.view.pinned

    # ------------------------------------------------------------ marks

    def choose_mark(self) -> None:
        """Let the person choose a mark."""
        tab = self._app.state.active_tab
        if tab is None:
            return
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        choices = [
            Choice(mark.name, f"{mark.sign} {mark.name}", key=str(number))
            for number, mark in enumerate(MARKS, 1)
        ]
        choices.append(Choice(_NO_MARK, "no mark", key="0"))

        def chosen(name: str | None) -> None:
            if name is not None:
                self._mark(tab.session, name)

        self._app.push_screen(ChoiceDialog("Mark this tab", choices), chosen)

    def mark_as(self, name: str) -> None:
        """Give the tab the mark of this name, or `none`; raises `SettingsError`."""
        name = name.strip().lower()
        if name != _NO_MARK and mark_named(name) is None:
            known = ", ".join(mark.name for mark in MARKS)
            raise SettingsError(f"There is no mark {name[:40]!r}. There are {known}, and none.")
        if self._app.state.active:
            self._mark(self._app.state.active, name)

    def _mark(self, session: int, name: str) -> None:
        mark = mark_named(name)
        self._arrange(p.MarkTab(0, session, "" if mark is None else mark.name))

    # ------------------------------------------------------------ groups

    def choose_group(self) -> None:
        """Let the person go to another group; without groups, begin one with this tab."""
        state = self._app.state
        groups = groups_of(state)
        if len(groups) < 2:
            self.choose_group_for_tab()
            return
        from gemma_chat.ui.group_list import GroupList

        def chosen(name: str | None) -> None:
            if name is not None:
                self.show_group(name)

        self._app.push_screen(GroupList("Go to a group", groups, state.group, "go to"), chosen)

    def go_to_group(self, step: Literal[-1, 1]) -> None:
        """Show the next group, or the one before."""
        group = group_beside(self._app.state, step)
        if group is None:
            self._app.say("There is no other group. /group NAME begins one.", "information")
        else:
            self.show_group(group.name)

    def show_group(self, name: str) -> None:
        """Show the tab of a group that was shown last."""
        state = self._app.state
        group = next((group for group in groups_of(state) if group.name == name), None)
        if group is not None and name != state.group:
            self._app.show_tab(tab_to_show(state, group))

    def choose_group_for_tab(self) -> None:
        """Let the person choose a group for the tab, or name a new one."""
        state = self._app.state
        tab = state.active_tab
        if tab is None:
            return
        from gemma_chat.ui.group_list import GroupList

        def chosen(name: str | None) -> None:
            if name is not None and name != tab.view.group:
                self._arrange(p.GroupTabs(0, (tab.session,), name))

        title = f"Put “{one_line(tab.title, HEADING_CELLS)}” into a group"
        dialog = GroupList(title, groups_of(state), tab.view.group, "put into")
        self._app.push_screen(dialog, chosen)

    def put_into(self, name: str) -> None:
        """Put the tab into the group of this name, or into none; raises `SettingsError`."""
        name = _checked(name)
        if self._app.state.active:
            name = "" if name in ("none", NO_GROUP) else name
            self._arrange(p.GroupTabs(0, (self._app.state.active,), name))

    def rename_group(self) -> None:
        """Ask for another name of the group that is shown."""
        group = self._app.state.group
        if not group:
            self._app.say("These tabs are in no group. /group NAME begins one.", "information")
            return
        from gemma_chat.ui.rename import GroupNameDialog

        def renamed(name: str | None) -> None:
            if name is not None and name != group:
                self._arrange(p.RenameGroup(0, group, " ".join(name.split())))

        self._app.push_screen(GroupNameDialog(group), renamed)

    def _arrange(
        self, wish: p.MoveTab | p.PinTab | p.MarkTab | p.GroupTabs | p.RenameGroup
    ) -> None:
        self._app.spawn(self._app.calls.arrange(wish))


_MENU: Final = (
    ("tab.rename", "r"),
    ("tab.pin", "p"),
    ("tab.mark", "m"),
    ("tab.group", "g"),
    ("tab.move_left", "left"),
    ("tab.move_right", "right"),
    ("tab.compare", "s"),
    ("tab.export", "e"),
    ("tab.close", "c"),
)
"""What the menu offers, and the keys that take it at once."""


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > p.MAX_GROUP_CHARACTERS:
        raise SettingsError(
            f"The name of the group has {len(name)} characters; at most "
            f"{p.MAX_GROUP_CHARACTERS} are allowed."
        )
    return name
