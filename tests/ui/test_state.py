"""The state of the screen: what each event means, and which are out of date."""

from __future__ import annotations

import msgspec
import pytest
from tests.ui.scripted import ANOTHER, OWN, message, tab

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft
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
    ReopenedHere,
    TabSelected,
)
from gemma_chat.ui.state import TerminalState, apply, text_is_missing


def after(*events: AnyEvent, state: TerminalState | None = None) -> TerminalState:
    state = state or TerminalState(own=OWN)
    for event in events:
        state = apply(state, event)
    return state


def snapshot(*views: p.SessionView) -> p.Snapshot:
    return p.Snapshot(views, p.LockView(), p.ModelView(phase="ready"), p.SummarizerView())


THREE = snapshot(tab(1, "one"), tab(2, "two"), tab(3, "three"))


def texts(state: TerminalState, session: int = 1) -> list[str]:
    found = state.tab(session)
    assert found is not None
    return [view.text for view in found.conversation.messages]


def reading(*messages: p.MessageView, more: bool = False) -> TerminalState:
    """Tab 1 with these messages fetched."""
    return after(THREE, FetchBegun(1), MessagesFetched(1, messages, more))


# ---------------------------------------------------------------- tabs


def test_a_snapshot_brings_all_tabs_in_their_order_and_shows_the_first() -> None:
    state = after(snapshot(tab(2, "two"), tab(1, "one")))
    assert [each.title for each in state.tabs] == ["one", "two"]
    assert state.active == 1


def test_the_shown_tab_stays_when_the_host_comes_back() -> None:
    state = after(THREE, TabSelected(3), LinkChanged(LinkState("lost", "gone")), THREE)
    assert state.active == 3


def test_a_closed_tab_is_followed_by_the_one_in_its_place() -> None:
    assert after(THREE, TabSelected(2), p.SessionClosed(2)).active == 3
    assert after(THREE, TabSelected(3), p.SessionClosed(3)).active == 2
    assert after(snapshot(tab(1)), p.SessionClosed(1)).active == 0


def test_a_new_tab_of_another_terminal_does_not_take_the_screen() -> None:
    state = after(THREE, TabSelected(2), p.SessionChanged(tab(4, "four"), origin=ANOTHER))
    assert [each.session for each in state.tabs] == [1, 2, 3, 4]
    assert state.active == 2


def test_selecting_a_tab_that_is_not_open_changes_nothing() -> None:
    state = after(THREE)
    assert apply(state, TabSelected(99)) is state


def test_the_neighbours_of_a_tab_go_around_the_end() -> None:
    state = after(THREE)
    assert (state.neighbour(1), state.neighbour(-1)) == (2, 3)
    assert TerminalState().neighbour(1) == 0


def test_what_was_closed_last_is_opened_first() -> None:
    state = after(THREE, ClosedHere(1), ClosedHere(2), ClosedHere(1))
    assert state.closed == (2, 1)
    assert after(ReopenedHere(1), state=state).closed == (2,)


# ---------------------------------------------------------------- drafts


def test_a_draft_of_the_host_is_taken_when_the_tab_is_new_here() -> None:
    state = after(snapshot(tab(1, draft="half a thought")))
    assert state.tabs[0].draft == Draft("half a thought")


def test_another_terminal_does_not_overwrite_what_is_typed_here() -> None:
    state = after(THREE, DraftTyped(1, Draft("mine")))
    changed = p.SessionChanged(tab(1, "one", draft="theirs"), origin=ANOTHER)
    assert apply(state, changed).tabs[0].draft == Draft("mine")


@pytest.mark.parametrize("session", [1, 2])
def test_what_is_typed_elsewhere_is_not_seen_here(session: int) -> None:
    changed = p.SessionChanged(tab(session, draft="theirs"), origin=ANOTHER)
    for typed in (Draft(), Draft("mine")):
        state = after(THREE, DraftTyped(session, typed))
        assert apply(state, changed).tabs[session - 1].draft == typed


def test_a_draft_that_was_taken_over_follows_the_hosts_until_it_is_touched() -> None:
    state = after(snapshot(tab(1, draft="half")))
    state = apply(state, p.SessionChanged(tab(1, draft="half a thought"), origin=ANOTHER))
    assert (state.tabs[0].draft, state.tabs[0].draft_from) == (Draft("half a thought"), "host")
    sent = apply(state, p.SessionChanged(tab(1), origin=ANOTHER))
    assert (sent.tabs[0].draft, sent.tabs[0].draft_from) == (Draft(), "here")
    touched = apply(state, DraftTyped(1, Draft("my thought")))
    assert touched.tabs[0].draft_from == "taken_over"
    elsewhere = p.SessionChanged(tab(1, draft="half a thought, and"), origin=ANOTHER)
    assert apply(touched, elsewhere).tabs[0].draft == Draft("my thought")


def test_looking_at_a_draft_does_not_make_it_this_terminals() -> None:
    state = after(snapshot(tab(1, draft="half")), DraftTyped(1, Draft("half")))
    assert state.tabs[0].draft_from == "host"


def test_a_host_that_comes_back_brings_the_drafts_that_nobody_touched_here() -> None:
    state = after(snapshot(tab(1, draft="half")), snapshot(tab(1, draft="half a thought")))
    assert state.tabs[0].draft == Draft("half a thought")


def test_an_echo_of_an_older_draft_of_this_terminal_takes_nothing_back() -> None:
    state = after(THREE, DraftTyped(2, Draft("hello")))
    echo = p.SessionChanged(tab(2, "two", draft="hel"), origin=OWN)
    assert apply(state, echo).tabs[1].draft == Draft("hello")


def test_a_new_title_by_another_terminal_leaves_the_draft_alone() -> None:
    state = after(THREE, DraftTyped(2, Draft("not yet saved")))
    renamed = p.SessionChanged(tab(2, "renamed"), origin=ANOTHER)
    assert apply(state, renamed).tabs[1].draft == Draft("not yet saved")
    assert apply(state, renamed).tabs[1].title == "renamed"


def test_a_host_that_comes_back_does_not_take_drafts_back() -> None:
    state = after(THREE, DraftTyped(1, Draft("typed meanwhile")), THREE)
    assert state.tabs[0].draft == Draft("typed meanwhile")


# ---------------------------------------------------------------- messages


def test_streamed_text_is_added_at_its_place() -> None:
    state = reading(message(1, "ask"), message(2, "", role="assistant", state="streaming"))
    state = after(p.TurnText(1, 1, 2, 0, "Aho"), p.TurnText(1, 1, 2, 3, "y!"), state=state)
    assert texts(state) == ["ask", "Ahoy!"]


def test_text_that_is_known_already_is_not_added_twice() -> None:
    state = reading(message(2, "Ahoy", role="assistant", state="streaming"))
    assert apply(state, p.TurnText(1, 1, 2, 0, "Aho")) is state
    assert texts(apply(state, p.TurnText(1, 1, 2, 2, "oy there"))) == ["Ahoy there"]


def test_text_with_a_gap_before_it_is_not_shown_but_noticed() -> None:
    state = reading(message(2, "Ahoy", role="assistant", state="streaming"))
    gap = p.TurnText(1, 1, 2, 9, "later")
    assert apply(state, gap) is state
    assert text_is_missing(state, gap)


def test_text_of_an_older_turn_or_a_finished_message_is_dropped() -> None:
    running = reading(message(2, "", role="assistant", turn=5, state="streaming"))
    assert apply(running, p.TurnText(1, 4, 2, 0, "old")) is running
    finished = reading(message(2, "", role="assistant", state="stopped"))
    assert apply(finished, p.TurnText(1, 1, 2, 0, "late")) is finished


@pytest.mark.parametrize(
    "event",
    [
        p.TurnText(9, 1, 2, 0, "text"),
        p.MessageChanged(9, 1, message(2, "text")),
        p.MessageRemoved(9, 1, 2),
        p.SessionClosed(9),
        MessagesFetched(9, (message(1, "x"),), more=False),
    ],
)
def test_events_for_a_closed_tab_change_nothing(event: AnyEvent) -> None:
    state = after(THREE)
    assert apply(state, event) is state


def test_an_older_version_of_a_message_does_not_replace_a_newer_one() -> None:
    state = reading(message(2, "new", turn=3))
    assert apply(state, p.MessageChanged(1, 2, message(2, "old", turn=2))) is state


def test_a_new_message_finds_its_place_by_its_number() -> None:
    state = reading(message(1, "a"), message(5, "c"))
    state = apply(state, p.MessageChanged(1, 1, message(3, "b")))
    assert texts(state) == ["a", "b", "c"]


def test_a_withdrawn_message_is_gone() -> None:
    state = reading(message(1, "a"), message(2, "b", state="queued"))
    assert texts(apply(state, p.MessageRemoved(1, 1, 2))) == ["a"]


def test_what_happened_while_messages_were_fetched_is_not_lost() -> None:
    state = after(
        THREE,
        FetchBegun(1),
        p.MessageChanged(1, 1, message(2, "whole reply", role="assistant")),
        p.MessageChanged(1, 2, message(3, "next")),
        p.MessageRemoved(1, 2, 4),
        MessagesFetched(
            1,
            (
                message(1, "ask"),
                message(2, "whole", role="assistant", state="streaming"),
                message(4, "withdrawn", state="queued"),
            ),
            more=False,
        ),
    )
    assert texts(state) == ["ask", "whole reply", "next"]


def test_what_was_fetched_is_newer_than_an_event_from_before() -> None:
    state = after(
        THREE,
        FetchBegun(1),
        p.MessageChanged(1, 1, message(2, "beg", role="assistant", state="streaming")),
        MessagesFetched(1, (message(2, "beginning and end", role="assistant"),), more=False),
    )
    assert texts(state) == ["beginning and end"]


def test_older_messages_are_put_above() -> None:
    state = reading(message(5, "e"), more=True)
    state = apply(state, MessagesFetched(1, (message(3, "c"), message(4, "d")), True, before=5))
    assert texts(state) == ["c", "d", "e"]
    assert state.tabs[0].conversation.more


def test_older_messages_that_no_longer_fit_are_dropped() -> None:
    state = reading(message(5, "e"), more=True)
    assert apply(state, MessagesFetched(1, (message(1, "a"),), False, before=3)) is state


def test_a_change_in_messages_that_were_never_fetched_is_not_shown_at_the_top() -> None:
    state = reading(message(5, "e"), more=True)
    assert apply(state, p.MessageChanged(1, 1, message(2, "far above"))) is state


def test_another_branch_takes_the_place_of_what_followed() -> None:
    state = reading(message(1, "a"), message(2, "b"), message(3, "c"))
    state = apply(state, MessageSelected(3))
    state = apply(state, p.TranscriptChanged(1, 2))
    assert (texts(state), state.tabs[0].conversation.reading) == (["a"], "unknown")
    assert state.selected == 0
    fetch = state.tabs[0].conversation.fetch + 1
    state = apply(state, FetchBegun(1, fetch, since=2))
    state = apply(state, MessagesFetched(1, (message(7, "other"),), False, fetch=fetch, since=2))
    assert texts(state) == ["a", "other"]


def test_another_branch_that_was_told_is_there_at_once_and_the_cursor_stays_on_what_stays() -> None:
    state = reading(message(1, "a"), message(2, "b"), message(3, "c"))
    state = apply(state, MessageSelected(3))
    told = p.TranscriptChanged(1, 2, (message(3, "c"),))
    state = apply(state, told)
    assert (texts(state), state.tabs[0].conversation.reading) == (["a", "c"], "loaded")
    assert state.selected == 3
    state = apply(state, p.TranscriptChanged(1, 3, ()))
    assert (texts(state), state.selected) == (["a"], 0)


def test_what_is_told_while_messages_are_fetched_is_fetched_too() -> None:
    state = after(THREE, FetchBegun(1, 1), p.TranscriptChanged(1, 2, (message(7, "new"),)))
    assert state.tabs[0].conversation.reading == "unknown"


def test_an_answer_from_before_the_branch_changed_is_out_of_date() -> None:
    state = after(THREE, FetchBegun(1, 1), p.TranscriptChanged(1, 2), FetchBegun(1, 3))
    late = apply(state, MessagesFetched(1, (message(1, "a"), message(2, "old")), False, fetch=1))
    assert late is state
    assert apply(state, FetchFailed(1, 1)) is state
    now = apply(state, MessagesFetched(1, (message(1, "a"), message(7, "new")), False, fetch=3))
    assert texts(now) == ["a", "new"]


def test_a_long_branch_does_not_leave_a_gap_before_it() -> None:
    state = reading(message(1, "a"), message(2, "b"))
    state = apply(state, p.TranscriptChanged(1, 2))
    fetch = state.tabs[0].conversation.fetch + 1
    state = apply(state, FetchBegun(1, fetch, since=2))
    newest = MessagesFetched(1, (message(90, "y"), message(91, "z")), True, fetch=fetch, since=2)
    state = apply(state, newest)
    assert texts(state) == ["y", "z"]
    assert state.tabs[0].conversation.more


def test_a_pin_changes_a_message_that_is_known_and_no_other() -> None:
    state = reading(message(1, "a"))
    pinned = apply(state, p.MessageUpdated(1, message(1, "a", pinned=True)))
    assert pinned.tabs[0].conversation.messages[0].pinned
    assert apply(pinned, p.MessageUpdated(1, message(9, "z", pinned=True))) is pinned
    assert apply(pinned, p.TranscriptChanged(2, 1)) is pinned


def test_editing_puts_the_draft_aside_and_gives_it_back() -> None:
    state = after(THREE, DraftTyped(1, Draft("draft")), EditBegun(1, 5))
    state = after(DraftTyped(1, Draft("edited")), EditBegun(1, 7), state=state)
    editing = state.tabs[0].editing
    assert editing is not None
    assert (editing.message, editing.put_aside) == (7, Draft("draft"))
    state = apply(state, EditEnded(1))
    assert (state.tabs[0].editing, state.tabs[0].draft) == (None, Draft("draft"))
    assert apply(state, EditEnded(1)) is state


def test_messages_that_could_not_be_fetched_can_be_asked_for_again() -> None:
    state = after(THREE, FetchBegun(1), FetchFailed(1))
    assert state.tabs[0].conversation.reading == "unknown"


def test_messages_are_fetched_again_when_the_host_comes_back() -> None:
    state = after(THREE, state=reading(message(1, "a")))
    assert state.tabs[0].conversation.reading == "unknown"


# ---------------------------------------------------------------- lock, and the rest


def test_a_tabs_own_turn_is_the_running_one_before_those_that_wait() -> None:
    lock = p.LockView(
        p.LockEntry(1, 7, "one", phase="generating"),
        (p.LockEntry(1, 8, "one"), p.LockEntry(2, 3, "two"), p.LockEntry(3, 1, "s", True)),
    )
    state = after(THREE, p.LockChanged(lock))
    assert [entry and entry.turn for entry in map(state.own_turn, (1, 2, 3))] == [7, 3, None]


def test_an_event_that_says_nothing_new_gives_the_same_state() -> None:
    state = after(THREE)
    same = (
        p.LockChanged(state.lock),
        p.ModelChanged(state.model),
        p.SessionChanged(tab(1, "one")),
        p.TurnFinished(1, 1, "stop", p.TurnMetrics()),
    )
    assert all(apply(state, event) is state for event in same)


def test_settings_of_one_tab_do_not_reach_another() -> None:
    changed = msgspec.structs.replace(
        tab(2, "two"), settings=SessionSettings(system_instruction="Be brief.")
    )
    state = after(THREE, p.SessionChanged(changed))
    assert [t.view.settings.system_instruction for t in state.tabs] == ["", "Be brief.", ""]


# ---------------------------------------------------------------- thoughts and tool calls


def test_a_thought_and_a_call_come_to_the_reply_they_belong_to() -> None:
    thought = p.Thought(at=0, text="Hm")
    longer, call = p.Thought(at=0, text="Hm, hm", seconds=2), p.ToolUse(at=0, name="clock")
    reply = msgspec.structs.replace(message(2, ""), state="streaming")
    state = reading(reply)
    for place, aside in ((0, thought), (0, longer), (1, call)):
        state = after(p.AsideChanged(1, reply.turn, 2, place, aside), state=state)
    (tab_,) = (tab for tab in state.tabs if tab.session == 1)
    assert tab_.conversation.messages[0].asides == (longer, call)
    for late in (
        p.AsideChanged(1, reply.turn, 2, 5, call),
        p.AsideChanged(1, reply.turn, 9, 0, call),
        p.AsideChanged(9, reply.turn, 2, 0, call),
        p.AsideChanged(1, reply.turn + 1, 2, 0, call),
        p.AsideChanged(1, reply.turn, 2, 1, call),
    ):
        assert apply(state, late) is state


def test_downloads_are_those_the_host_told_last() -> None:
    coming = p.DownloadView(1, "some/tiny", "running")
    state = apply(TerminalState(), p.DownloadsChanged((coming,)))
    assert state.downloads == (coming,)
    assert apply(state, p.DownloadsChanged((coming,))) is state
    again = p.Snapshot((), p.LockView(), p.ModelView(), p.SummarizerView())
    assert apply(state, again).downloads == ()
