"""Which conversations are open, how they stand in the tab bar, and what everybody is told of that.

What a tab is stands in the store and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    Event,
    SessionChanged,
    SessionClosed,
    SessionView,
    TabsArranged,
)
from gemma_chat.host.replacing import replaced_view
from gemma_chat.host.tool_questions import ToolQuestions
from gemma_chat.host.unfinished_turns import UnfinishedTurns
from gemma_chat.host.views import session_view
from gemma_chat.store.records import Conversation, TitleAuthor
from gemma_chat.store.store import Store

Place = Literal["tab", "aside", "passing"]
"""Where an open session is seen, and what becomes of it: see `OpenSession`."""


@dataclass(slots=True)
class _Tab:
    """An open session."""

    title: str
    place: Place = "tab"
    client: int = 0
    """Who opened a passing session."""


class OpenTabs:
    """The open sessions. Most are tabs; some are seen by nobody but their client."""

    def __init__(
        self,
        store: Store,
        publish: Callable[[Event], None],
        turns: UnfinishedTurns,
        questions: ToolQuestions,
    ) -> None:
        """Find the tabs that are open in `store`; `turns` and `questions` are shown in them."""
        self._store = store
        self._publish = publish
        self._turns = turns
        self._questions = questions
        self._tabs = {
            tab.session: _Tab(session_view(tab).title)
            for tab in store.conversations(open_only=True)
        }

    # ------------------------------------------------------------ reading

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._tabs)

    def is_open(self, session: int) -> bool:
        """Whether this conversation is open, in a tab or aside."""
        return session in self._tabs

    def is_shown(self, session: int) -> bool:
        """Whether a tab shows this conversation."""
        tab = self._tabs.get(session)
        return tab is not None and tab.place == "tab"

    def must_be_open(self, session: int) -> None:
        """Raise `HostError` when this conversation is not open."""
        if not self.is_open(session):
            raise _absent(session)

    def must_be_shown(self, session: int) -> None:
        """Raise `HostError` when this conversation stands in no tab."""
        if not self.is_shown(session):
            raise _absent(session)

    def passing(self, client: int) -> tuple[int, ...]:
        """The passing sessions that a client has opened."""
        return tuple(
            session
            for session, tab in self._tabs.items()
            if tab.place == "passing" and tab.client == client
        )

    def title(self, session: int) -> str:
        """The title of a tab as it is shown; empty when it is closed."""
        tab = self._tabs.get(session)
        return "" if tab is None else tab.title

    def views(self) -> tuple[SessionView, ...]:
        """All tabs, in the order of the tab bar."""
        return tuple(map(self._view, self._store.conversations(open_only=True)))

    def _view(self, conversation: Conversation) -> SessionView:
        """A tab, without the replies that have not begun."""
        session = conversation.session
        waiting = list(self._turns.replies(session).values()).count(None)
        return msgspec.structs.replace(
            session_view(conversation),
            message_count=conversation.message_count - waiting,
            replaced=replaced_view(self._store, session),
            asking=self._questions.of(session),
            calling=self._turns.calling(session),
        )

    # ------------------------------------------------------------ telling

    def tell(self, session: int, asker: int = 0) -> None:
        """Tell everybody how a tab stands now; `asker` is the client that changed it."""
        tab = self._tabs.get(session)
        if tab is not None and tab.place == "tab":
            view = self._view(self._store.conversation(session))
            tab.title = view.title
            self._publish(SessionChanged(view, asker))

    def tell_order(self) -> None:
        """Tell everybody in which order the tabs stand now, which may have changed."""
        self._publish(TabsArranged(self._store.tabs.order()))

    def publish(self, session: int, event: Event) -> None:
        """Tell about what happens in a conversation, as long as it is open."""
        if self.is_open(session):
            self._publish(event)

    # ------------------------------------------------------------ opening and closing

    def open(self, title: str, settings: SessionSettings, asker: int, *, group: str = "") -> int:
        """Open a new tab behind the others of its group; returns its number."""
        created = self._store.create(
            settings.validated(),
            title=title,
            title_by="person" if title else "nobody",
            group=group,
        )
        self._show(created.session, created.title, asker)
        return created.session

    def open_aside(
        self, title: str, settings: SessionSettings, *, passing: bool, client: int
    ) -> int:
        """Open a session that no tab shows; returns its number."""
        session = self._store.library.add(title, settings.validated(), (), passing=passing)
        self._tabs[session] = _Tab(title, "passing" if passing else "aside", client)
        return session

    def fork(
        self,
        source: Conversation,
        title: str,
        *,
        title_by: TitleAuthor,
        up_to: int,
        draft: str,
        asker: int,
    ) -> int:
        """A conversation with the shown messages of `source` up to number `up_to`.

        It stands in a tab beside that of `source`, when that has one.
        """
        position = None if source.position is None else source.position + 1
        with self._store.together():
            created = self._store.create(
                source.settings,
                title=title,
                title_by=title_by,
                position=position,
                group=source.group,
            )
            session = created.session
            self._store.branches.fork(source.session, session, up_to)
            if draft:
                self._store.set_draft(session, draft)
            if position is None:
                self._store.close_tab(session)
        if position is not None:
            self._show(session, created.title, asker)
        return session

    def reopen(self, session: int, asker: int) -> None:
        """Open the tab of a stored conversation again; one that is open stays as it is."""
        if not self.is_open(session):
            self._store.open_at(session)
            self._tabs[session] = _Tab("")
        self.tell(session, asker)
        self.tell_order()

    def close(self, session: int) -> None:
        """Close a tab; its conversation stays in the store."""
        self.must_be_open(session)
        self._store.close_tab(session)
        del self._tabs[session]
        self._publish(SessionClosed(session))
        self.tell_order()

    def _show(self, session: int, title: str, asker: int) -> None:
        self._tabs[session] = _Tab(title)
        self.tell(session, asker)
        self.tell_order()


def _absent(session: int) -> HostError:
    return HostError(f"There is no open tab {session}; it may have been closed elsewhere.")
