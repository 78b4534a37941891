"""How tabs come, go and change: their order, the one that is shown, their drafts."""

from __future__ import annotations

import msgspec

from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import draft_of
from gemma_chat.ui.own_events import DraftTyped, EditBegun, EditEnded
from gemma_chat.ui.pair import Pair
from gemma_chat.ui.state.terminal import Conversation, Editing, TabState, TerminalState, with_tab


def snapshot(state: TerminalState, event: p.Snapshot) -> TerminalState:
    """The host tells everything: it counts, but for what only this terminal knows."""
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
        pair=_pair_within(state.pair if state.active else Pair.kept(event.pair), tabs),
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


def draft_typed(state: TerminalState, event: DraftTyped) -> TerminalState:
    """A person typed: the draft of the tab is this one's from now on."""
    tab = state.tab(event.session)
    if tab is None or tab.draft == event.draft:
        return state
    source = "taken_over" if tab.draft_from == "host" else tab.draft_from
    return with_tab(state, event.session, draft=event.draft, draft_from=source)


def session_changed(state: TerminalState, event: p.SessionChanged) -> TerminalState:
    """A tab is new, or the host says other things of it."""
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


def session_closed(state: TerminalState, session: int) -> TerminalState:
    """A tab went away; the one that moves into its place is shown."""
    tabs = [tab for tab in state.tabs if tab.session != session]
    if len(tabs) == len(state.tabs):
        return state
    active, pair = _still_open(state, tabs), _pair_within(state.pair, tabs)
    return msgspec.structs.replace(state, tabs=tuple(tabs), active=active, pair=pair)


def _pair_within(pair: Pair | None, tabs: list[TabState]) -> Pair | None:
    return pair and pair.within(tab.session for tab in tabs)


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


def tab_selected(state: TerminalState, session: int) -> TerminalState:
    """A person goes to a tab."""
    if state.tab(session) is None or session == state.active:
        return state
    both = (state.active, session)
    visited = (*(one for one in state.visited if one not in both), *both)
    return msgspec.structs.replace(state, active=session, selected=0, visited=visited)


def tabs_arranged(state: TerminalState, event: p.TabsArranged) -> TerminalState:
    """The tabs stand in another order."""
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


def editing_changed(state: TerminalState, event: EditBegun | EditEnded) -> TerminalState:
    """A sent message is being edited in the input from now on, or no longer."""
    tab = state.tab(event.session)
    if tab is None:
        return state
    if isinstance(event, EditBegun):
        put_aside = tab.editing.put_aside if tab.editing else tab.draft
        return with_tab(state, tab.session, editing=Editing(event.message, put_aside))
    if tab.editing is None:
        return state
    return with_tab(state, tab.session, editing=None, draft=tab.editing.put_aside)
