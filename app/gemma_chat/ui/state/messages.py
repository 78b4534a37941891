"""How the messages of a tab come, go and grow.

What is fetched and what is told may cross on the way: the version that is further on counts.
"""

from __future__ import annotations

import msgspec

from gemma_chat.host import protocol as p
from gemma_chat.ui.own_events import FetchBegun, FetchFailed, MessagesFetched
from gemma_chat.ui.state.terminal import (
    Conversation,
    TabState,
    TerminalState,
    find_message,
    replaced,
    with_tab,
)

_PROGRESS: dict[p.MessageState, int] = {"queued": 0, "streaming": 1}
_FINAL = 2


def message_changed(state: TerminalState, event: p.MessageChanged) -> TerminalState:
    """A message is new, or went on in its turn or a later one."""
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading == "unknown":
        return state
    messages = tab.conversation.messages
    known = find_message(messages, event.view.message)
    if known is not None and (known.turn > event.turn or known == event.view):
        return state
    if known is None and _older_than_fetched(tab.conversation, event.view.message):
        return state
    return _with_messages(state, tab, _with_message(messages, event.view))


def message_updated(state: TerminalState, event: p.MessageUpdated) -> TerminalState:
    """Something about a message changed that is not its turn's, a pin or its branches."""
    tab = state.tab(event.session)
    known = None if tab is None else tab.message(event.view.message)
    if tab is None or known is None or known == event.view:
        return state
    return _with_messages(state, tab, _with_message(tab.conversation.messages, event.view))


def transcript_changed(state: TerminalState, event: p.TranscriptChanged) -> TerminalState:
    """Other messages are shown; what was not told of them is fetched when it is looked at."""
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading == "unknown":
        return state
    known = tab.conversation
    messages = tuple(view for view in known.messages if view.message < event.since)
    # Where older messages are on their way, what was told could leave a gap behind those.
    told = event.messages if known.reading == "loaded" else None
    changed = Conversation("unknown", messages, known.more, fetch=known.fetch + 1)
    if told is not None:
        whole = (*messages, *told)
        changed = msgspec.structs.replace(changed, reading="loaded", messages=whole)
    state = with_tab(state, tab.session, conversation=changed)
    gone = event.session == state.active and state.selected >= event.since
    stays = gone and find_message(changed.messages, state.selected) is not None
    return replaced(state, selected=0) if gone and not stays else state


def fetch_begun(state: TerminalState, event: FetchBegun) -> TerminalState:
    """Messages are being fetched; those from `event.since` on are forgotten."""
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = tab.conversation
    kept = tuple(view for view in known.messages if view.message < event.since)
    begun = Conversation("loading", kept, known.more and bool(kept), fetch=event.fetch)
    return with_tab(state, tab.session, conversation=begun)


def fetch_failed(state: TerminalState, event: FetchFailed) -> TerminalState:
    """The newest request for messages failed: they are unknown again."""
    tab = state.tab(event.session)
    if tab is None or tab.conversation.fetch != event.fetch:
        return state
    return with_tab(state, tab.session, conversation=Conversation(fetch=event.fetch))


def _older_than_fetched(conversation: Conversation, message: int) -> bool:
    messages = conversation.messages
    return conversation.more and bool(messages) and message < messages[0].message


def _in_progress(tab: TabState, event: p.TurnText | p.AsideChanged) -> p.MessageView | None:
    """The reply that grows, unless it is another one or has ended by now."""
    known = find_message(tab.conversation.messages, event.message)
    if known is None or known.turn != event.turn or known.state not in _PROGRESS:
        return None
    return known


def turn_text(state: TerminalState, event: p.TurnText) -> TerminalState:
    """More text of a reply; what is there already, or has a gap before it, is left out."""
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = _in_progress(tab, event)
    if known is None:
        return state
    overlap = len(known.text) - event.offset
    if overlap < 0 or overlap >= len(event.text):
        return state
    text = known.text + event.text[overlap:]
    longer = msgspec.structs.replace(known, text=text, state="streaming")
    return _with_messages(state, tab, _with_message(tab.conversation.messages, longer))


def aside_changed(state: TerminalState, event: p.AsideChanged) -> TerminalState:
    """A thought or a tool call of a reply is new, or went on."""
    tab = state.tab(event.session)
    if tab is None:
        return state
    known = _in_progress(tab, event)
    if known is None:
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
    known = find_message(tab.conversation.messages, event.message)
    if known is None:
        return not _older_than_fetched(tab.conversation, event.message)
    return known.turn == event.turn and len(known.text) < event.offset


def message_removed(state: TerminalState, event: p.MessageRemoved) -> TerminalState:
    """A message is gone, also from an answer that is still to come."""
    tab = state.tab(event.session)
    if tab is None or tab.conversation.reading == "unknown":
        return state
    conversation = tab.conversation
    known = find_message(conversation.messages, event.message)
    if known is not None and known.turn > event.turn:
        return state
    if known is None and conversation.reading == "loaded":
        return state
    removed = conversation.removed
    if conversation.reading == "loading":
        removed = removed | {event.message}
    kept = tuple(view for view in conversation.messages if view.message != event.message)
    changed = msgspec.structs.replace(conversation, messages=kept, removed=removed)
    return with_tab(state, tab.session, conversation=changed)


def messages_fetched(state: TerminalState, event: MessagesFetched) -> TerminalState:
    """Messages were fetched: the newest ones, or older ones before those that are known."""
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
    return with_tab(state, tab.session, conversation=fetched_now)


def _progress(view: p.MessageView) -> tuple[int, int]:
    return (_PROGRESS.get(view.state, _FINAL), len(view.text))


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
    # Not through `with_tab`: comparing two conversations for every token would not be free.
    tabs = tuple(changed if other is tab else other for other in state.tabs)
    return msgspec.structs.replace(state, tabs=tabs)
