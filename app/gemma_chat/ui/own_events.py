"""This terminal's own events: what changes the state beside the events of the host."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemma_chat.host import protocol as p
from gemma_chat.terms import LinkPhase
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.pair import Pair

Panel = Literal["none", "settings", "summary", "lock"]


class LinkState(msgspec.Struct, frozen=True):
    """How the connection to the host is; `sentence` says why when it is not connected."""

    phase: LinkPhase = "connecting"
    sentence: str = ""


class LinkChanged(msgspec.Struct, frozen=True):
    """The connection to the host came, went, or failed."""

    link: LinkState


class TabSelected(msgspec.Struct, frozen=True):
    """A tab is shown from now on."""

    session: int


class PairShown(msgspec.Struct, frozen=True):
    """Two tabs stand side by side from now on, or none do."""

    pair: Pair | None


class DraftTyped(msgspec.Struct, frozen=True):
    """What stands in a tab's input box now."""

    session: int
    draft: Draft


class ScrollMoved(msgspec.Struct, frozen=True):
    """Where the reader of a tab stands now."""

    session: int
    scroll: p.ScrollPosition


class FetchBegun(msgspec.Struct, frozen=True):
    """The newest messages of a tab were asked for, from number `since` on.

    Only the answer to the newest of these requests counts: `fetch` tells them apart.
    """

    session: int
    fetch: int = 0
    since: int = 0


class MessagesFetched(msgspec.Struct, frozen=True):
    """A stretch of messages came: the newest ones, or with `before` those older than it."""

    session: int
    messages: tuple[p.MessageView, ...]
    more: bool
    before: int = 0
    fetch: int = 0
    since: int = 0


class FetchFailed(msgspec.Struct, frozen=True):
    """The messages of a tab could not be had; they can be asked for again."""

    session: int
    fetch: int = 0


class PanelOpened(msgspec.Struct, frozen=True):
    """A side panel is shown from now on, or none."""

    panel: Panel


class ClosedHere(msgspec.Struct, frozen=True):
    """A person closed this tab here."""

    session: int


class ReopenedHere(msgspec.Struct, frozen=True):
    """A person took back the closing of this tab."""

    session: int


class MessageSelected(msgspec.Struct, frozen=True):
    """The cursor stands on this message of the active tab; 0: on none."""

    message: int


class EditBegun(msgspec.Struct, frozen=True):
    """A message of a tab is being edited in its input, whose draft is put aside."""

    session: int
    message: int


class EditEnded(msgspec.Struct, frozen=True):
    """The editing is over: the draft that was put aside is the tab's draft again."""

    session: int


OwnEvent = (
    LinkChanged
    | TabSelected
    | DraftTyped
    | ScrollMoved
    | FetchBegun
    | MessagesFetched
    | FetchFailed
    | PanelOpened
    | ClosedHere
    | ReopenedHere
    | MessageSelected
    | EditBegun
    | EditEnded
    | PairShown
)
AnyEvent = p.Event | OwnEvent
