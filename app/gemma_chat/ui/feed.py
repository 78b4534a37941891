"""Carries what happens to the shown conversation into the transcript."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gemma_chat.host import protocol as p
from gemma_chat.ui.context_words import mark_of
from gemma_chat.ui.own_events import AnyEvent, MessagesFetched
from gemma_chat.ui.state import TabState, TerminalState, text_is_missing


class TranscriptView(Protocol):
    """What is asked of the widget that paints a conversation."""

    def show(
        self, messages: Sequence[p.MessageView], scroll: p.ScrollPosition, *, key: int
    ) -> None:
        """Bind the view to another conversation."""

    def put(self, message: p.MessageView) -> None:
        """Show a new message, or one that changed as a whole."""

    def append(self, message: int, offset: int, text: str) -> bool:
        """Add streamed text; False when text in between is missing."""

    def remove_message(self, message: int) -> None:
        """Take a message out."""

    def prepend(self, messages: Sequence[p.MessageView]) -> None:
        """Add older messages above."""

    def mark_replaced(self, message: int, text: str) -> None:
        """Put a mark below the last message that the model does not see; 0 for none."""

    @property
    def scroll_position(self) -> p.ScrollPosition:
        """Where the reader stands."""


class TranscriptFeed:
    """Shows one conversation of the state and keeps it up to date, event by event."""

    def __init__(
        self,
        fetch: Callable[[int, int], None],
        shown: Callable[[TerminalState], int] = lambda state: state.active,
    ) -> None:
        """`fetch` asks for the newest messages of a session, from a number on, again.

        `shown` tells which session is to be shown, 0 for none.
        """
        self._view: TranscriptView = _NoView()
        self._fetch = fetch
        self._shown = shown
        self._bound = 0

    def attach(self, view: TranscriptView, state: TerminalState) -> None:
        """From now on show everything in this view; it is made after the first paint."""
        self._view = view
        self.bind(state)

    @property
    def bound(self) -> int:
        """The session whose messages stand in the view; 0 while none do."""
        return self._bound

    def bind(self, state: TerminalState) -> None:
        """Show the conversation, or an empty view until it is fetched."""
        tab = state.tab(self._shown(state))
        if tab is None:
            self._bound = 0
            self._view.show((), p.ScrollPosition(), key=0)
            return
        if tab.conversation.reading == "loaded":
            self._bound = tab.session
            self._mark(tab)
            self._view.show(tab.conversation.messages, tab.scroll, key=tab.session)
            return
        if self._bound != tab.session:
            self._bound = 0
            self._view.show((), tab.scroll, key=tab.session)
        if tab.conversation.reading == "unknown":
            self._fetch_missing(tab)

    def follow(self, before: TerminalState, after: TerminalState, event: AnyEvent) -> None:
        """Show what `event` changed; nothing, when it concerns another conversation."""
        if isinstance(event, p.Snapshot):
            self.bind(after)
            return
        shown = self._shown(after)
        if isinstance(event, p.SessionChanged):
            tab = after.tab(shown)
            if tab is not None and self._bound == event.view.session == shown:
                self._mark(tab)
            return
        if not shown or getattr(event, "session", 0) != shown:
            return
        if isinstance(event, MessagesFetched):
            self._fetched(before, after, event)
            return
        if isinstance(event, p.TranscriptChanged):
            changed = after.tab(shown)
            if before is after or changed is None:
                return
            if changed.conversation.reading == "loaded":
                self.bind(after)
            else:
                # What is shown stays until the answer is there: nothing flickers.
                self._fetch_missing(changed)
            return
        tab = after.tab(shown)
        if tab is None or tab.conversation.reading != "loaded" or self._bound != tab.session:
            return
        match event:
            case p.TurnText() if text_is_missing(after, event):
                self._fetch(tab.session, 0)
            case p.TurnText() if before is not after:
                if not self._view.append(event.message, event.offset, event.text):
                    self._view.show(
                        tab.conversation.messages, self._view.scroll_position, key=tab.session
                    )
            case p.MessageChanged() | p.MessageUpdated() if before is not after:
                self._view.put(event.view)
            case p.AsideChanged() if before is not after:
                for message in tab.conversation.messages:
                    if message.message == event.message:
                        self._view.put(message)
            case p.MessageRemoved() if before is not after:
                self._view.remove_message(event.message)

    def _mark(self, tab: TabState) -> None:
        replaced = tab.view.replaced
        self._view.mark_replaced(replaced.up_to, mark_of(replaced))

    def _fetch_missing(self, tab: TabState) -> None:
        kept = tab.last_message
        self._fetch(tab.session, kept + 1 if kept else 0)

    def _fetched(self, before: TerminalState, after: TerminalState, event: MessagesFetched) -> None:
        if before is after:
            return
        if event.before:
            self._view.prepend(event.messages)
        else:
            self.bind(after)


class _NoView:
    """Stands in for the transcript until there is one."""

    def show(
        self, messages: Sequence[p.MessageView], scroll: p.ScrollPosition, *, key: int
    ) -> None:
        """Show nothing."""

    def put(self, message: p.MessageView) -> None:
        """Show nothing."""

    def append(self, message: int, offset: int, text: str) -> bool:
        """Nothing is missing where nothing is shown."""
        return True

    def remove_message(self, message: int) -> None:
        """Nothing is shown."""

    def prepend(self, messages: Sequence[p.MessageView]) -> None:
        """Show nothing."""

    def mark_replaced(self, message: int, text: str) -> None:
        """Show nothing."""

    @property
    def scroll_position(self) -> p.ScrollPosition:
        """At the end."""
        return p.ScrollPosition()
