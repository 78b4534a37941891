"""Carries out the requests about the tab bar: order, pins, marks and groups."""

from __future__ import annotations

from gemma_chat.host.conversations import Conversations
from gemma_chat.host.limits import checked_group
from gemma_chat.host.protocol import (
    Done,
    GroupTabs,
    LookAtTab,
    MarkTab,
    MoveTab,
    PinTab,
    RenameGroup,
)
from gemma_chat.store.store import Store

TabBarRequest = MoveTab | PinTab | MarkTab | GroupTabs | RenameGroup | LookAtTab


class TabBar:
    """What stands where in the tab bar stands in the store; here it is changed and told."""

    def __init__(self, store: Store, conversations: Conversations) -> None:
        self._tabs = store.tabs
        self._conversations = conversations

    def answer(self, request: TabBarRequest, asker: int) -> Done:
        """Carry `request` out for the client with pid `asker`."""
        match request:
            case MoveTab():
                self._must_be_shown(request.session)
                self._tabs.move(request.session, request.place)
                self._conversations.tell_order()
            case PinTab():
                self._must_be_shown(request.session)
                self._tabs.pin(request.session, pinned=request.pinned)
                self._tell((request.session,), asker)
            case MarkTab():
                self._must_be_shown(request.session)
                self._tabs.set_mark(request.session, request.mark)
                self._tell((request.session,), asker)
            case GroupTabs():
                for session in request.sessions:
                    self._must_be_shown(session)
                self._tabs.put_into_group(request.sessions, checked_group(request.group))
                self._tell(request.sessions, asker)
            case RenameGroup():
                self._rename(request, asker)
            case LookAtTab():
                self._must_be_shown(request.session)
                self._tabs.look_at(request.session)
        return Done(request.id)

    def _rename(self, request: RenameGroup, asker: int) -> None:
        name = checked_group(request.name)
        members = [
            view.session for view in self._conversations.views() if view.group == request.group
        ]
        self._tabs.rename_group(request.group, name)
        self._tell(members, asker)

    def _tell(self, sessions: tuple[int, ...] | list[int], asker: int) -> None:
        for session in sessions:
            self._conversations.tell(session, asker)
        self._conversations.tell_order()

    def _must_be_shown(self, session: int) -> None:
        self._conversations.must_be_shown(session)
