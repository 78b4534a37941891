"""Carries what happens into the panes: the left one is always there, the right one for a pair."""

from __future__ import annotations

from collections.abc import Callable

from gemma_chat.ui.feed import TranscriptFeed, TranscriptView
from gemma_chat.ui.own_events import AnyEvent
from gemma_chat.ui.state import TerminalState


def left_of(state: TerminalState) -> int:
    """The session in the left or only pane."""
    pair = state.shown_pair
    return state.active if pair is None else pair.left


def right_of(state: TerminalState) -> int:
    """The session in the right pane; 0 while there is none."""
    pair = state.shown_pair
    return 0 if pair is None else pair.right


class PaneFeeds:
    """One feed for each pane."""

    def __init__(
        self, fetch: Callable[[int, int], None], open_right: Callable[[], TranscriptView]
    ) -> None:
        """`fetch` as of a feed; `open_right` makes the second transcript when it is needed."""
        self._left = TranscriptFeed(fetch, left_of)
        self._right = TranscriptFeed(fetch, right_of)
        self._open_right: Callable[[], TranscriptView] | None = open_right

    def attach(self, view: TranscriptView, state: TerminalState) -> None:
        """From now on show everything; `view` is the left transcript."""
        self._left.attach(view, state)

    def is_bound(self, session: object) -> bool:
        """Whether the messages of this session stand in a pane."""
        return bool(session) and session in (self._left.bound, self._right.bound)

    def follow(self, before: TerminalState, after: TerminalState, event: AnyEvent) -> None:
        """Show what `event` changed."""
        self._left.follow(before, after, event)
        self._right.follow(before, after, event)

    def rebind(self, before: TerminalState, after: TerminalState) -> None:
        """Show other conversations where others are to be shown now."""
        if left_of(before) != left_of(after):
            self._left.bind(after)
        if right_of(before) != right_of(after):
            if self._open_right is not None:
                self._right.attach(self._open_right(), after)
                self._open_right = None
            else:
                self._right.bind(after)
