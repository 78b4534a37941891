"""The one function that changes the state."""

from __future__ import annotations

from gemma_chat.host import protocol as p
from gemma_chat.ui.own_events import (
    AnyEvent,
    ClosedHere,
    DraftTyped,
    EditBegun,
    EditEnded,
    FetchBegun,
    FetchFailed,
    LinkChanged,
    MessageSelected,
    MessagesFetched,
    OwnEvent,
    PairShown,
    PanelOpened,
    ReopenedHere,
    ScrollMoved,
    TabSelected,
)
from gemma_chat.ui.state.messages import (
    aside_changed,
    fetch_begun,
    fetch_failed,
    message_changed,
    message_removed,
    message_updated,
    messages_fetched,
    transcript_changed,
    turn_text,
)
from gemma_chat.ui.state.tabs import (
    draft_typed,
    editing_changed,
    session_changed,
    session_closed,
    snapshot,
    tab_selected,
    tabs_arranged,
)
from gemma_chat.ui.state.terminal import TerminalState, replaced, with_tab


def apply(state: TerminalState, event: AnyEvent) -> TerminalState:
    """The state after `event`; the same object when the event is out of date or says nothing."""
    match event:
        case p.TurnText():
            return turn_text(state, event)
        case p.AsideChanged():
            return aside_changed(state, event)
        case p.LockChanged():
            return replaced(state, lock=event.lock)
        case p.MessageChanged():
            return message_changed(state, event)
        case p.MessageRemoved():
            return message_removed(state, event)
        case p.SessionChanged():
            return session_changed(state, event)
        case p.SessionClosed():
            return session_closed(state, event.session)
        case p.ModelChanged():
            return replaced(state, model=event.model)
        case p.SummarizerChanged():
            return replaced(state, summarizer=event.summarizer)
        case p.DownloadsChanged():
            return replaced(state, downloads=event.downloads)
        case p.Snapshot():
            return snapshot(state, event)
        case p.MessageUpdated():
            return message_updated(state, event)
        case p.TranscriptChanged():
            return transcript_changed(state, event)
        case p.TabsArranged():
            return tabs_arranged(state, event)
        case p.TurnFinished() | p.Notice() | p.Leaving():
            return state
        case _:
            return _apply_own(state, event)


def _apply_own(state: TerminalState, event: OwnEvent) -> TerminalState:
    match event:
        case LinkChanged():
            return replaced(state, link=event.link)
        case TabSelected():
            return tab_selected(state, event.session)
        case DraftTyped():
            return draft_typed(state, event)
        case ScrollMoved():
            return with_tab(state, event.session, scroll=event.scroll)
        case FetchBegun():
            return fetch_begun(state, event)
        case FetchFailed():
            return fetch_failed(state, event)
        case MessagesFetched():
            return messages_fetched(state, event)
        case PairShown():
            return replaced(state, pair=event.pair)
        case PanelOpened():
            return replaced(state, panel=event.panel)
        case MessageSelected():
            return replaced(state, selected=event.message)
        case EditBegun() | EditEnded():
            return editing_changed(state, event)
        case ClosedHere():
            others = tuple(session for session in state.closed if session != event.session)
            return replaced(state, closed=(*others, event.session))
        case ReopenedHere():
            others = tuple(session for session in state.closed if session != event.session)
            return replaced(state, closed=others)
