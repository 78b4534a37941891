"""All that the screen shows, as data, and the one function that changes it.

`apply` takes an event of the host, or one of this terminal, and returns the next state. An event
that is out of date (its tab is closed, its turn is older than the newest one of that message)
changes nothing: the *same* object comes back, so that the caller can tell.

What the host and this terminal both know, a draft and a scroll position, belongs to the terminal:
the host's copy is taken over when the tab is new here. A draft that was taken over follows the
host's until somebody types at it here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft, draft_of
from gemma_chat.ui.own_events import (
    AnyEvent,
    ClosedHere,
    DraftTyped,
    EditBegun,
    EditEnded,
    FetchBegun,
    FetchFailed,
    LinkChanged,
    LinkState,
    MessageSelected,
    MessagesFetched,
    OwnEvent,
    PairShown,
    Panel,
    PanelOpened,
    ReopenedHere,
    ScrollMoved,
    TabSelected,
)
from gemma_chat.ui.pair import Pair

Reading = Literal["unknown", "loading", "loaded"]
DraftSource = Literal["here", "host", "taken_over"]
"""`host`: the host's, untouched; `taken_over`: the host's, and changed here since."""

_PROGRESS: dict[p.MessageState, int] = {"queued": 0, "streaming": 1}
_FINAL = 2


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
        return _find(self.conversation.messages, number)

    @property
    def session(self) -> int:
        """The number of the conversation."""
        return self.view.session

    @property
    def title(self) -> str:
        """The title, or what stands for one."""
        return self.view.title.strip() or "New chat"


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

    def neighbour(self, step: int) -> int:
        """The session `step` tabs to the right in its group, around the end; 0 without tabs."""
        group = self.group
        sessions = [tab.session for tab in self.tabs if tab.view.group == group]
        if not sessions:
            return 0
        place = sessions.index(self.active) if self.active in sessions else 0
        return sessions[(place + step) % len(sessions)]


# ---------------------------------------------------------------- the one change


def apply(state: TerminalState, event: AnyEvent) -> TerminalState:
    """The state after `event`; the same object when the event is out of date or says nothing."""
    match event:
        case p.TurnText():
            return _turn_text(state, event)
        case p.AsideChanged():
            return _aside_changed(state, event)
        case p.LockChanged():
            return _replaced(state, lock=event.lock)
        case p.MessageChanged():
            return _message_changed(state, event)
        case p.MessageRemoved():
            return _message_removed(state, event)
        case p.SessionChanged():
            return _session_changed(state, event)
        case p.SessionClosed():
            return _session_closed(state, event.session)
        case p.ModelChanged():
            return _replaced(state, model=event.model)
        case p.SummarizerChanged():
            return _replaced(state, summarizer=event.summarizer)
        case p.DownloadsChanged():
            return _replaced(state, downloads=event.downloads)
        case p.Snapshot():
            return _snapshot(state, event)
        case p.MessageUpdated():
            return _message_updated(state, event)
        case p.TranscriptChanged():
            return _transcript_changed(state, event)
        case p.TabsArranged():
            return _tabs_arranged(state, event)
        case p.TurnFinished() | p.Notice() | p.Leaving():
            return state
        case _:
            return _apply_own(state, event)


def _apply_own(state: TerminalState, event: OwnEvent) -> TerminalState:
    match event:
        case LinkChanged():
            return _replaced(state, link=event.link)
        case TabSelected():
            return _tab_selected(state, event.session)
        case DraftTyped():
            return _draft_typed(state, event)
        case ScrollMoved():
            return _with_tab(state, event.session, scroll=event.scroll)
        case FetchBegun():
            return _fetch_begun(state, event)
        case FetchFailed():
            return _fetch_failed(state, event)
        case MessagesFetched():
            return _messages_fetched(state, event)
        case PairShown():
            return _replaced(state, pair=event.pair)
        case PanelOpened():
            return _replaced(state, panel=event.panel)
        case MessageSelected():
            return _replaced(state, selected=event.message)
        case EditBegun() | EditEnded():
            return _editing_changed(state, event)
        case ClosedHere():
            others = tuple(session for session in state.closed if session != event.session)
            return _replaced(state, closed=(*others, event.session))
        case ReopenedHere():
            others = tuple(session for session in state.closed if session != event.session)
            return _replaced(state, closed=others)


def _replaced(state: TerminalState, **changes: object) -> TerminalState:
    if all(getattr(state, name) == value for name, value in changes.items()):
        return state
    return msgspec.structs.replace(state, **changes)


def _with_tab(state: TerminalState, session: int, **changes: object) -> TerminalState:
    tab = state.tab(session)
    if tab is None or all(getattr(tab, name) == value for name, value in changes.items()):
        return state
    changed = msgspec.structs.replace(tab, **changes)
    tabs = tuple(changed if other is tab else other for other in state.tabs)
    return msgspec.structs.replace(state, tabs=tabs)


# ---------------------------------------------------------------- tabs


def _snapshot(state: TerminalState, event: p.Snapshot) -> TerminalState:
    tabs = []
    for view in event.sessions:
        known = state.tab(view.session)
        if known is None:
            tabs.append(_new_tab(view))
        else:
            # The draft and the scroll position here are newer than the host's copies. Messages
            # are fetched again: the host may have lost or finished some meanwhile.
            fetch = known.conversation.fetch + 1
            fresh = msgspec.structs.replace(
                known, view=view, conversation=Conversation(fetch=fetch)
            )
            tabs.append(_with_draft_of(view, fresh))
    tabs.sort(key=lambda tab: tab.view.position)
    return msgspec.structs.replace(
        state,
        tabs=tuple(tabs),
        active=_still_open(state, tabs) if state.active else _looked_at_last(tabs),
        pair=_pair_within(state, tabs),
        lock=event.lock,
        model=event.model,
        summarizer=event.summarizer,
        downloads=event.downloads,
    )


def _new_tab(view: p.SessionView) -> TabState:
    return _with_draft_of(view, TabState(view, draft_from="host", scroll=view.scroll))


def _with_draft_of(view: p.SessionView, tab: TabState) -> TabState:
    """The tab with the host's draft, when it has none of its own."""
    if tab.draft_from != "host":
        return tab
    draft = draft_of(view.draft)
    return msgspec.structs.replace(tab, draft=draft, draft_from="here" if draft.empty else "host")


def _draft_typed(state: TerminalState, event: DraftTyped) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None or tab.draft == event.draft:
        return state
    source = "taken_over" if tab.draft_from == "host" else tab.draft_from
    return _with_tab(state, event.session, draft=event.draft, draft_from=source)


def _session_changed(state: TerminalState, event: p.SessionChanged) -> TerminalState:
    view = event.view
    known = state.tab(view.session)
    if known is None:
        changed = _new_tab(view)
    elif known.view == view:
        return state
    else:
        changed = _with_draft_of(view, msgspec.structs.replace(known, view=view))
    tabs = [tab for tab in state.tabs if tab.session != view.session]
    tabs.append(changed)
    tabs.sort(key=lambda tab: tab.view.position)
    active = state.active or view.session
    return msgspec.structs.replace(state, tabs=tuple(tabs), active=active)


def _session_closed(state: TerminalState, session: int) -> TerminalState:
    tabs = [tab for tab in state.tabs if tab.session != session]
    if len(tabs) == len(state.tabs):
        return state
    active, pair = _still_open(state, tabs), _pair_within(state, tabs)
    return msgspec.structs.replace(state, tabs=tuple(tabs), active=active, pair=pair)


def _pair_within(state: TerminalState, tabs: list[TabState]) -> Pair | None:
    return state.pair and state.pair.within(tab.session for tab in tabs)


def _still_open(state: TerminalState, tabs: list[TabState]) -> int:
    """The active session, or when it is gone the one that moved into its place."""
    if not tabs:
        return 0
    if any(tab.session == state.active for tab in tabs):
        return state.active
    pair = state.shown_pair
    if pair is not None and any(tab.session == pair.other(state.active) for tab in tabs):
        return pair.other(state.active)
    beside = [tab for tab in state.tabs if tab.view.group == state.group]
    place = next((n for n, tab in enumerate(beside) if tab.session == state.active), 0)
    # Within its group, as long as that has a tab.
    tabs = [tab for tab in tabs if tab.view.group == state.group] or tabs
    return tabs[min(place, len(tabs) - 1)].session


def _looked_at_last(tabs: list[TabState]) -> int:
    return max(tabs, key=lambda tab: tab.view.looked_at).session if tabs else 0


def _tab_selected(state: TerminalState, session: int) -> TerminalState:
    if state.tab(session) is None or session == state.active:
        return state
    both = (state.active, session)
    visited = (*(one for one in state.visited if one not in both), *both)
    return msgspec.structs.replace(state, active=session, selected=0, visited=visited)


def _tabs_arranged(state: TerminalState, event: p.TabsArranged) -> TerminalState:
    places = {session: place for place, session in enumerate(event.sessions)}
    if all(places.get(tab.session) == tab.view.position for tab in state.tabs):
        return state
    tabs = [_at_place(tab, places.get(tab.session, tab.view.position)) for tab in state.tabs]
    tabs.sort(key=lambda tab: tab.view.position)
    return msgspec.structs.replace(state, tabs=tuple(tabs))


def _at_place(tab: TabState, place: int) -> TabState:
    if tab.view.position == place:
        return tab
    view = msgspec.structs.replace(tab.view, position=place)
    return msgspec.structs.replace(tab, view=view)


# ---------------------------------------------------------------- messages


def _message_changed(state: TerminalState, event: p.MessageChanged) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading == "unknown":
        return state
    messages = tab.conversation.messages
    known = _find(messages, event.view.message)
    if known is not None and (known.turn > event.turn or known == event.view):
        return state
    if known is None and _older_than_fetched(tab.conversation, event.view.message):
        return state
    return _with_messages(state, tab, _with_message(messages, event.view))


def _message_updated(state: TerminalState, event: p.MessageUpdated) -> TerminalState:
    tab = state.tab(event.session)
    known = None if tab is None else tab.message(event.view.message)
    if tab is None or known is None or known == event.view:
        return state
    return _with_messages(state, tab, _with_message(tab.conversation.messages, event.view))


def _transcript_changed(state: TerminalState, event: p.TranscriptChanged) -> TerminalState:
    """Forget what is no longer shown; what comes in its place is fetched when it is looked at."""
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading == "unknown":
        return state
    conversation = tab.conversation
    kept = tuple(view for view in conversation.messages if view.message < event.since)
    changed = Conversation("unknown", kept, conversation.more, fetch=conversation.fetch + 1)
    state = _with_tab(state, tab.session, conversation=changed)
    gone = event.session == state.active and state.selected >= event.since
    return _replaced(state, selected=0) if gone else state


def _fetch_begun(state: TerminalState, event: FetchBegun) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = tab.conversation
    kept = tuple(view for view in known.messages if view.message < event.since)
    begun = Conversation("loading", kept, known.more and bool(kept), fetch=event.fetch)
    return _with_tab(state, tab.session, conversation=begun)


def _fetch_failed(state: TerminalState, event: FetchFailed) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None or tab.conversation.fetch != event.fetch:
        return state
    return _with_tab(state, tab.session, conversation=Conversation(fetch=event.fetch))


def _editing_changed(state: TerminalState, event: EditBegun | EditEnded) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None:
        return state
    if isinstance(event, EditBegun):
        put_aside = tab.editing.put_aside if tab.editing else tab.draft
        return _with_tab(state, tab.session, editing=Editing(event.message, put_aside))
    if tab.editing is None:
        return state
    return _with_tab(state, tab.session, editing=None, draft=tab.editing.put_aside)


def _older_than_fetched(conversation: Conversation, message: int) -> bool:
    messages = conversation.messages
    return conversation.more and bool(messages) and message < messages[0].message


def _turn_text(state: TerminalState, event: p.TurnText) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = _find(tab.conversation.messages, event.message)
    if known is None or known.turn != event.turn or known.state not in _PROGRESS:
        return state
    overlap = len(known.text) - event.offset
    if overlap < 0 or overlap >= len(event.text):
        return state
    text = known.text + event.text[overlap:]
    longer = msgspec.structs.replace(known, text=text, state="streaming")
    return _with_messages(state, tab, _with_message(tab.conversation.messages, longer))


def _aside_changed(state: TerminalState, event: p.AsideChanged) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = _find(tab.conversation.messages, event.message)
    if known is None or known.turn != event.turn or known.state not in _PROGRESS:
        return state
    before, after = known.asides[: event.place], known.asides[event.place + 1 :]
    asides = (*before, event.aside, *after)
    if len(before) < event.place or asides == known.asides:
        return state
    changed = msgspec.structs.replace(known, asides=asides, state="streaming")
    return _with_messages(state, tab, _with_message(tab.conversation.messages, changed))


def text_is_missing(state: TerminalState, event: p.TurnText) -> bool:
    """Text before this piece never came here: the conversation has to be fetched again."""
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading != "loaded":
        return False
    known = _find(tab.conversation.messages, event.message)
    if known is None:
        return not _older_than_fetched(tab.conversation, event.message)
    return known.turn == event.turn and len(known.text) < event.offset


def _message_removed(state: TerminalState, event: p.MessageRemoved) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading == "unknown":
        return state
    conversation = tab.conversation
    known = _find(conversation.messages, event.message)
    if known is not None and known.turn > event.turn:
        return state
    if known is None and conversation.reading == "loaded":
        return state
    removed = conversation.removed
    if conversation.reading == "loading":
        removed = removed | {event.message}
    kept = tuple(view for view in conversation.messages if view.message != event.message)
    changed = msgspec.structs.replace(conversation, messages=kept, removed=removed)
    return _with_tab(state, tab.session, conversation=changed)


def _messages_fetched(state: TerminalState, event: MessagesFetched) -> TerminalState:
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = tab.conversation
    if event.before:
        if not known.messages or known.messages[0].message != event.before:
            return state
        messages = event.messages + known.messages
    elif known.reading == "loading" and known.fetch == event.fetch:
        # Events and the reply come by the same way, but the reply is handled a moment later:
        # of two versions of a message the one that is further on is the newer one.
        newest = {
            view.message: view for view in event.messages if view.message not in known.removed
        }
        for view in known.messages:
            # What was kept from before is older than a stretch that does not reach back to it.
            is_behind_a_gap = event.more and event.since and view.message < event.since
            fetched = newest.get(view.message)
            if not is_behind_a_gap and (fetched is None or _progress(view) > _progress(fetched)):
                newest[view.message] = view
        messages = tuple(newest[number] for number in sorted(newest))
    else:
        return state
    more = event.more or (known.more and bool(event.since))
    fetched_now = Conversation("loaded", messages, more, fetch=known.fetch)
    return _with_tab(state, tab.session, conversation=fetched_now)


def _progress(view: p.MessageView) -> tuple[int, int]:
    return (_PROGRESS.get(view.state, _FINAL), len(view.text))


def _find(messages: tuple[p.MessageView, ...], message: int) -> p.MessageView | None:
    # What changes stands at the end nearly always, and the numbers grow.
    for view in reversed(messages):
        if view.message <= message:
            return view if view.message == message else None
    return None


def _with_message(
    messages: tuple[p.MessageView, ...], changed: p.MessageView
) -> tuple[p.MessageView, ...]:
    place = len(messages)
    while place and messages[place - 1].message > changed.message:
        place -= 1
    if place and messages[place - 1].message == changed.message:
        return (*messages[: place - 1], changed, *messages[place:])
    return (*messages[:place], changed, *messages[place:])


def _with_messages(
    state: TerminalState, tab: TabState, messages: tuple[p.MessageView, ...]
) -> TerminalState:
    conversation = msgspec.structs.replace(tab.conversation, messages=messages)
    changed = msgspec.structs.replace(tab, conversation=conversation)
    # Not through `_with_tab`: comparing two conversations for every token would not be free.
    tabs = tuple(changed if other is tab else other for other in state.tabs)
    return msgspec.structs.replace(state, tabs=tabs)
