"""What the screen shows, as frozen structs."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.own_events import LinkState, Panel
from gemma_chat.ui.pair import Pair

Reading = Literal["unknown", "loading", "loaded"]
DraftSource = Literal["here", "host", "taken_over"]
"""`host`: the host's, untouched; `taken_over`: the host's, and changed here since."""


class Conversation(msgspec.Struct, frozen=True):
    """The messages of one tab as far as they were fetched, oldest first."""

    reading: Reading = "unknown"
    messages: tuple[p.MessageView, ...] = ()
    more: bool = False
    """Older messages exist that were not fetched."""
    removed: frozenset[int] = frozenset()
    """Messages that went away while the conversation was being fetched."""
    fetch: int = 0
    """Which request for the newest messages counts; answers to earlier ones are out of date."""


class Editing(msgspec.Struct, frozen=True):
    """A sent message that is being edited in the input, and the draft that waits meanwhile."""

    message: int
    put_aside: Draft


class TabState(msgspec.Struct, frozen=True):
    """One tab: what the host says of it, and what only this terminal knows."""

    view: p.SessionView
    draft: Draft = Draft()
    draft_from: DraftSource = "here"
    scroll: p.ScrollPosition = p.ScrollPosition()
    conversation: Conversation = Conversation()
    editing: Editing | None = None

    @property
    def last_message(self) -> int:
        """The newest message that is known here; 0 when none is."""
        messages = self.conversation.messages
        return messages[-1].message if messages else 0

    def place_of(self, number: int) -> int:
        """The place of a message among those that are shown, from 0; -1 when it is not there."""
        messages = self.conversation.messages
        return next((i for i, one in enumerate(messages) if one.message == number), -1)

    def message(self, number: int) -> p.MessageView | None:
        """One message, as far as it was fetched."""
        return find_message(self.conversation.messages, number)

    @property
    def session(self) -> int:
        """The number of the conversation."""
        return self.view.session

    @property
    def title(self) -> str:
        """The title, or what stands for one."""
        return self.view.title.strip() or p.UNTITLED


class TerminalState(msgspec.Struct, frozen=True):
    """Everything on the screen. `own` is the number by which the host knows this terminal."""

    own: int = 0
    link: LinkState = LinkState()
    tabs: tuple[TabState, ...] = ()
    """In the order of the tab bar."""
    active: int = 0
    """The session that is shown; 0 when there is none."""
    lock: p.LockView = p.LockView()
    model: p.ModelView = p.ModelView(phase="loading")
    summarizer: p.SummarizerView = p.SummarizerView()
    downloads: tuple[p.DownloadView, ...] = ()
    """The unfinished downloads of models, oldest first."""
    closed: tuple[int, ...] = ()
    """Sessions closed here, the last one last: what an undo opens again."""
    panel: Panel = "none"
    selected: int = 0
    """The message of the active tab on which the cursor stands; 0 when on none."""
    visited: tuple[int, ...] = ()
    """Sessions that a person went to here, the last one last."""
    pair: Pair | None = None
    """Two tabs that are shown side by side while one of them is the active one."""

    def tab(self, session: int) -> TabState | None:
        """The tab of `session`, when it is open."""
        return next((tab for tab in self.tabs if tab.session == session), None)

    @property
    def active_tab(self) -> TabState | None:
        """The tab that is shown."""
        return self.tab(self.active)

    def number(self, session: int) -> int:
        """The tab's number on the screen, from 1; 0 when it is not open."""
        return next((n for n, tab in enumerate(self.tabs, 1) if tab.session == session), 0)

    @property
    def shown_pair(self) -> Pair | None:
        """The pair that is on the screen now."""
        return self.pair if self.pair is not None and self.pair.has(self.active) else None

    @property
    def visible(self) -> tuple[int, ...]:
        """The sessions whose transcripts are on the screen."""
        pair = self.shown_pair
        return (self.active,) if pair is None else (pair.left, pair.right)

    @property
    def recipients(self) -> tuple[int, ...]:
        """The sessions that get what is sent now; none without tabs."""
        pair, tab = self.shown_pair, self.active_tab
        if pair is not None and pair.to_both and tab is not None and tab.editing is None:
            return (pair.left, pair.right)
        return (self.active,) if self.active else ()

    @property
    def writing(self) -> int:
        """The session whose draft stands in the input; for both of a pair it is the left one's."""
        return self.recipients[0] if self.recipients else 0

    @property
    def group(self) -> str:
        """The group that is shown: that of the active tab."""
        tab = self.active_tab
        return "" if tab is None else tab.view.group

    def own_turn(self, session: int) -> p.LockEntry | None:
        """The oldest unfinished turn of a tab: the running one, else its first in the queue."""
        entries = (*self.lock.holders, *self.lock.waiting)
        return next((e for e in entries if e.session == session and not e.background), None)

    def is_answering(self, session: int) -> bool:
        """Whether a turn of this tab runs, waits in the queue, or waits for a tool."""
        tab = self.tab(session)
        calling = tab is not None and bool(tab.view.calling)
        return calling or self.own_turn(session) is not None

    def neighbour(self, step: int) -> int:
        """The session `step` tabs to the right in its group, around the end; 0 without tabs."""
        group = self.group
        sessions = [tab.session for tab in self.tabs if tab.view.group == group]
        if not sessions:
            return 0
        place = sessions.index(self.active) if self.active in sessions else 0
        return sessions[(place + step) % len(sessions)]


def replaced(state: TerminalState, **changes: object) -> TerminalState:
    """The state with these changes; the same object when they change nothing."""
    if all(getattr(state, name) == value for name, value in changes.items()):
        return state
    return msgspec.structs.replace(state, **changes)


def with_tab(state: TerminalState, session: int, **changes: object) -> TerminalState:
    """The state with these changes to one tab; the same object when they change nothing."""
    tab = state.tab(session)
    if tab is None or all(getattr(tab, name) == value for name, value in changes.items()):
        return state
    changed = msgspec.structs.replace(tab, **changes)
    tabs = tuple(changed if other is tab else other for other in state.tabs)
    return msgspec.structs.replace(state, tabs=tabs)


def find_message(messages: tuple[p.MessageView, ...], message: int) -> p.MessageView | None:
    """The message with this number."""
    # What changes stands at the end nearly always, and the numbers grow.
    for view in reversed(messages):
        if view.message <= message:
            return view if view.message == message else None
    return None
