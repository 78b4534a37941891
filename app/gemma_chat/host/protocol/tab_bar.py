"""The messages about the tab bar: order, pins, marks and groups."""

from __future__ import annotations

from gemma_chat.host.protocol.wire import Wire
from gemma_chat.terms import TabMark

MAX_GROUP_CHARACTERS = 40


class MoveTab(Wire, frozen=True, tag="move_tab"):
    """Put a tab at `place` of the bar, from 0, or as near as its group and pin allow.

    Answer: `Done`.
    """

    id: int
    session: int
    place: int


class PinTab(Wire, frozen=True, tag="pin_tab"):
    """Pin a tab, so that it stands first in its group, or take the pin away. Answer: `Done`."""

    id: int
    session: int
    pinned: bool


class MarkTab(Wire, frozen=True, tag="mark_tab"):
    """Give a tab a mark; an empty one takes it away. Answer: `Done`."""

    id: int
    session: int
    mark: TabMark


class GroupTabs(Wire, frozen=True, tag="group_tabs"):
    """Put open tabs into a group, all of them or none; without a name, into none.

    A group is its name: it begins with its first tab and ends with its last. Answer: `Done`.
    """

    id: int
    sessions: tuple[int, ...]
    group: str


class RenameGroup(Wire, frozen=True, tag="rename_group"):
    """Give a group another name; that of another group joins them, an empty one ends it.

    Answer: `Done`.
    """

    id: int
    group: str
    name: str


class LookAtTab(Wire, frozen=True, tag="look_at_tab"):
    """A person looks at this tab now: a terminal that starts later begins with it. Answer: `Done`.

    Nobody else is told.
    """

    id: int
    session: int


class TabPair(Wire, frozen=True):
    """Two tabs that stand side by side; `to_both`: what is sent there goes to both."""

    left: int
    right: int
    to_both: bool = True


class PairTabs(Wire, frozen=True, tag="pair_tabs"):
    """Two open tabs stand side by side in this terminal from now on, or with `None` no more.

    A terminal that starts later begins with them. Nobody else is told. Answer: `Done`.
    """

    id: int
    pair: TabPair | None = None


class TabsArranged(Wire, frozen=True, tag="tabs_arranged"):
    """The tabs stand in this order now, from the left; it names all of them."""

    sessions: tuple[int, ...]
