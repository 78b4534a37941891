"""Lets the host keep what only this terminal knows: drafts, scroll positions, what was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gemma_chat.host.protocol import DraftBegun, ScrollPosition, SessionView
from gemma_chat.ui.drafts import Draft, draft_of
from gemma_chat.ui.host_calls import HostCalls
from gemma_chat.ui.state import TabState, TerminalState

Spawn = Callable[[Coroutine[Any, Any, object]], object]


class Keeper:
    """Knows what the host was told last, and tells it what is new."""

    def __init__(self, calls: HostCalls, spawn: Spawn) -> None:
        self._calls = calls
        self._spawn = spawn
        self._drafts: dict[int, Draft] = {}
        self._taken_over: set[int] = set()
        """Tabs whose draft has replaced the one the host had."""
        self._scrolls: dict[int, ScrollPosition] = {}
        self._under_way: set[asyncio.Future[None]] = set()
        """Ends of what the host is being told."""
        self._read: dict[int, SessionView] = {}
        """For each session as what it was told as read last."""
        self._looked_at = 0

    def forget(self) -> None:
        """There is another host, or the same one after a break: what was told may be lost."""
        self._drafts.clear()
        self._scrolls.clear()
        self._read.clear()
        self._looked_at = 0

    def closed(self, session: int) -> None:
        """The tab is closed; should it come back, it comes with the host's draft."""
        self._drafts.pop(session, None)
        self._taken_over.discard(session)

    def tell_drafts(self, state: TerminalState) -> None:
        """Tell the host of the drafts of this terminal, as far as it has any."""
        for tab in state.tabs:
            for saving in self._news_of_draft(tab):
                self._spawn(self._told(saving))

    def keep(self, tab: TabState) -> None:
        """Tell the host of the tab's draft and scroll position, when they are new."""
        for saving in self._news(tab):
            self._spawn(self._told(saving))

    async def keep_all(self, state: TerminalState) -> None:
        """The same for every tab, and wait until all is done: before this terminal leaves.

        What is only on its way is lost when the host finds the connection broken before it reads.
        """
        for tab in state.tabs:
            for saving in self._news(tab):
                await saving
        if self._under_way:
            await asyncio.wait(self._under_way)

    def mark_read(self, state: TerminalState) -> None:
        """Tell the host that what is on the screen is being looked at, whenever it says otherwise.

        Not once for each turn: of several in a row the tab tells the last one from the beginning.
        """
        for tab in filter(None, map(state.tab, state.visible)):
            if not (tab.view.unread or tab.view.failed) or state.link.phase != "connected":
                continue
            if self._read.get(tab.session) is not tab.view:
                self._read[tab.session] = tab.view
                self._spawn(self._calls.mark_read(tab.session))

    def look_at(self, state: TerminalState) -> None:
        """Tell the host which tab is shown, once for each switch."""
        tab = state.active_tab
        if tab is None or state.link.phase != "connected" or tab.session == self._looked_at:
            return
        self._looked_at = tab.session
        self._spawn(self._calls.look_at(tab.session))

    async def _told(self, saving: Coroutine[Any, Any, None]) -> None:
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.add(end)
        try:
            await saving
        finally:
            self._under_way.discard(end)
            end.set_result(None)

    def _news(self, tab: TabState) -> list[Coroutine[Any, Any, None]]:
        news = self._news_of_draft(tab)
        if self._scrolls.get(tab.session, tab.view.scroll) != tab.scroll:
            self._scrolls[tab.session] = tab.scroll
            news.append(self._calls.save_scroll(tab.session, tab.scroll))
        return news

    def _news_of_draft(self, tab: TabState) -> list[Coroutine[Any, Any, None]]:
        # What is being edited was sent before and is not lost; the draft beside it would be.
        draft = tab.editing.put_aside if tab.editing else tab.draft
        at_first = Draft() if tab.draft_from == "here" else draft_of(tab.view.draft)
        if tab.draft_from == "host" or self._drafts.get(tab.session, at_first) == draft:
            return []
        self._drafts[tab.session] = draft
        taken_over = tab.draft_from == "taken_over" and tab.session not in self._taken_over
        if taken_over:
            self._taken_over.add(tab.session)
        begun: DraftBegun = "from_the_hosts" if taken_over else "here"
        return [self._calls.save_draft(tab.session, draft, begun)]
