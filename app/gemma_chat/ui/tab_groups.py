"""Groups of tabs: the tab bar shows one at a time, that of the active tab.

Which group is shown is nothing of its own: whoever goes to a tab sees the group it stands in.
"""

from __future__ import annotations

import msgspec

from gemma_chat.ui.signs import Sign, sign_of
from gemma_chat.ui.state import TabState, TerminalState

NO_GROUP = "no group"
"""What stands for the name of the group of tabs that have none."""

_URGENT = ("asking", "failed", "unread", "holding", "waiting")
"""The signs that are worth a look elsewhere, the most urgent first."""


class TabGroup(msgspec.Struct, frozen=True):
    """The tabs that stand together in one group, in their order."""

    name: str
    tabs: tuple[TabState, ...]

    @property
    def title(self) -> str:
        """The name, or what stands for none."""
        return self.name or NO_GROUP


class Elsewhere(msgspec.Struct, frozen=True):
    """What goes on in the groups that are not shown: the most urgent sign, and in how many tabs."""

    sign: Sign = Sign()
    count: int = 0


def groups_of(state: TerminalState) -> tuple[TabGroup, ...]:
    """All groups, in the order in which their tabs stand."""
    members: dict[str, list[TabState]] = {}
    for tab in state.tabs:
        members.setdefault(tab.view.group, []).append(tab)
    return tuple(TabGroup(name, tuple(tabs)) for name, tabs in members.items())


def has_groups(state: TerminalState) -> bool:
    """Whether there is more than one group, or one that has a name."""
    first = state.tabs[0].view.group if state.tabs else ""
    return bool(first) or any(tab.view.group != first for tab in state.tabs)


def tab_to_show(state: TerminalState, group: TabGroup) -> int:
    """The tab of a group that was shown last, here or before this terminal began."""
    here = {session: number for number, session in enumerate(state.visited)}

    def recency(tab: TabState) -> tuple[int, float]:
        return (here.get(tab.session, -1), tab.view.looked_at)

    return max(group.tabs, key=recency).session


def group_beside(state: TerminalState, step: int) -> TabGroup | None:
    """The group `step` places further, around the end; `None` when there is no other."""
    groups = groups_of(state)
    names = [group.name for group in groups]
    if len(groups) < 2 or state.group not in names:
        return None
    return groups[(names.index(state.group) + step) % len(groups)]


def elsewhere(state: TerminalState) -> Elsewhere:
    """What goes on in the groups that are not shown."""
    signs = [sign_of(state, tab) for tab in state.tabs if tab.view.group != state.group]
    for kind in _URGENT:
        found = [sign for sign in signs if sign.kind == kind]
        if found:
            return Elsewhere(found[0], len(found))
    return Elsewhere()


def stretch_of(state: TerminalState, tab: TabState) -> range:
    """The places of the bar, from 0, among which a tab can move: those of its group and pin."""
    places = [
        place
        for place, other in enumerate(state.tabs)
        if (other.view.group, other.view.pinned) == (tab.view.group, tab.view.pinned)
    ]
    return range(places[0], places[-1] + 1) if places else range(0)
