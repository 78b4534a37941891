"""Whose draft stands in the input, and how it goes between the input, the tabs and the host.

Every call takes the state as it is and gives the state as it is then.
"""

from __future__ import annotations

from collections.abc import Callable

from gemma_chat.ui.composer import Composer
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.own_events import DraftTyped
from gemma_chat.ui.state import TabState, TerminalState, apply


class InputDraft:
    """Puts the draft of the tab that is written in into the input, and takes it out again."""

    def __init__(self, composer: Composer, keep: Callable[[TabState], None]) -> None:
        """`keep` lets the host keep the draft of a tab."""
        self._composer = composer
        self._keep = keep
        self._session = 0
        """The tab whose draft stands in the input."""

    def forget(self, session: int) -> None:
        """The tab is closed: should it come back at once, what stands here is not its draft."""
        if session == self._session:
            self._session = 0

    def note(self, state: TerminalState) -> TerminalState:
        """What stands in the input is this terminal's as soon as somebody has typed at it."""
        if self._session and self._session == state.writing:
            return apply(state, DraftTyped(self._session, self._composer.draft))
        return state

    def follow(self, before: TerminalState, after: TerminalState) -> None:
        """Show the host's draft as it is now, where nobody has typed here."""
        tab, known = after.tab(after.writing), before.tab(before.writing)
        if tab is None or known is None or not tab.session == known.session == self._session:
            return
        if known.draft_from == "host" and tab.draft != known.draft and tab.editing is None:
            self._composer.load(tab.draft)

    def change(self, before: TerminalState, after: TerminalState) -> TerminalState:
        """Put the draft of another tab into the input, when another one is written in now."""
        if self._session == after.writing:
            return after
        typed = self._composer.draft
        if after.tab(self._session) is not None:
            after = self._typed(after, self._session, typed)
        tab = after.tab(after.writing)
        draft = tab.draft if tab else Draft()
        if before.writing == 0:
            # Typed before there was any tab: it belongs to the first one.
            draft = typed.before(draft)
        self._composer.load(draft)
        self._session = after.writing
        return after

    def store(self, state: TerminalState) -> TerminalState:
        """Take what stands in the input into the state, and let the host keep it."""
        if state.writing:
            return self._typed(state, state.writing, self._composer.draft)
        return state

    def put(self, state: TerminalState, session: int, draft: Draft) -> TerminalState:
        """Make this the tab's draft, in the input too when the tab is written in."""
        if session == state.writing:
            self._composer.load(draft)
        return self._typed(state, session, draft)

    def _typed(self, state: TerminalState, session: int, draft: Draft) -> TerminalState:
        state = apply(state, DraftTyped(session, draft))
        tab = state.tab(session)
        if tab is not None:
            self._keep(tab)
        return state
