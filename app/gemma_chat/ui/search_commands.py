"""The search in the messages of a tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp


class SearchCommands:
    """Carries out these actions for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.by_id: Mapping[str, Callable[[], None]] = {
            "search.open": self.search,
            "search.next": lambda: self.find(1),
            "search.previous": lambda: self.find(-1),
        }

    def search(self) -> None:
        """Open the line in which a search is typed."""
        tab = self._app.state.active_tab
        if tab is not None and self._app.window.transcript is not None:
            self._app.spawn(self._search(tab.session))

    async def _search(self, session: int) -> None:
        app = self._app
        await app.window.open_search()
        # What was not fetched yet is searched as well.
        while (tab := app.state.tab(session)) is not None and tab.conversation.more:
            before = tab.conversation.messages[0].message
            await app.calls.fetch_older(session, before, limit=2000)
            now = app.state.tab(session)
            if now is None or now.conversation.messages[:1] == tab.conversation.messages[:1]:
                return

    def find(self, direction: Literal[-1, 1]) -> None:
        """Go to the next match of the open search."""
        if self._app.window.transcript is not None:
            self._app.window.transcript.find(direction)
