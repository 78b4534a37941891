"""Carries out the requests about the tab bar: order, pins, marks and groups."""

from __future__ import annotations

from gemma_chat.errors import HostError
from gemma_chat.host.limits import checked_group
from gemma_chat.host.open_tabs import OpenTabs
from gemma_chat.host.protocol import (
    Done,
    GroupTabs,
    LookAtTab,
    MarkTab,
    MoveTab,
    PairTabs,
    PinTab,
    RenameGroup,
    TabPair,
)
from gemma_chat.host.views import stored_pair, tab_pair
from gemma_chat.store.store import Store

TabBarRequest = MoveTab | PinTab | MarkTab | GroupTabs | RenameGroup | LookAtTab | PairTabs


class TabBar:
    """What stands where in the tab bar stands in the store; here it is changed and told."""

    def __init__(self, store: Store, open_tabs: OpenTabs) -> None:
        self._tabs = store.tabs
        self._open_tabs = open_tabs

    def answer(self, request: TabBarRequest, asker: int) -> Done:
        """Carry `request` out for the client with pid `asker`."""
        match request:
            case MoveTab():
                self._open_tabs.must_be_shown(request.session)
                self._tabs.move(request.session, request.place)
                self._open_tabs.tell_order()
            case PinTab():
                self._open_tabs.must_be_shown(request.session)
                self._tabs.pin(request.session, pinned=request.pinned)
                self._tell((request.session,), asker)
            case MarkTab():
                self._open_tabs.must_be_shown(request.session)
                self._tabs.set_mark(request.session, request.mark)
                self._tell((request.session,), asker)
            case GroupTabs():
                for session in request.sessions:
                    self._open_tabs.must_be_shown(session)
                self._tabs.put_into_group(request.sessions, checked_group(request.group))
                self._tell(request.sessions, asker)
            case RenameGroup():
                self._rename(request, asker)
            case LookAtTab():
                self._open_tabs.must_be_shown(request.session)
                self._tabs.look_at(request.session)
            case PairTabs():
                self._pair(request.pair)
        return Done(request.id)

    @property
    def pair(self) -> TabPair | None:
        """The tabs that were put side by side last."""
        return tab_pair(self._tabs.pair())

    def _pair(self, pair: TabPair | None) -> None:
        if pair is not None:
            for session in (pair.left, pair.right):
                self._open_tabs.must_be_shown(session)
            if pair.left == pair.right:
                raise HostError(f"Tab {pair.left} cannot stand beside itself; name another one.")
        self._tabs.keep_pair(stored_pair(pair))

    def _rename(self, request: RenameGroup, asker: int) -> None:
        name = checked_group(request.name)
        members = [view.session for view in self._open_tabs.views() if view.group == request.group]
        self._tabs.rename_group(request.group, name)
        self._tell(members, asker)

    def _tell(self, sessions: tuple[int, ...] | list[int], asker: int) -> None:
        for session in sessions:
            self._open_tabs.tell(session, asker)
        self._open_tabs.tell_order()
