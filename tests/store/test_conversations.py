"""Conversations, their tabs and all that is kept about them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.host.protocol import SessionView
from gemma_chat.store.opening import open_database
from gemma_chat.store.records import Scroll
from gemma_chat.store.store import Store

ABSENT = 4711


def tabs(store: Store) -> list[int]:
    conversations = store.conversations(open_only=True)
    assert [one.position for one in conversations] == list(range(len(conversations)))
    return [one.session for one in conversations]


def test_a_new_conversation_is_empty_and_stands_in_the_last_tab(
    store: Store, settings: SessionSettings
) -> None:
    store.create(settings)
    second = store.create(settings, title="Tutor", title_by="person")
    assert second.position == 1
    assert second.title == "Tutor"
    assert second.title_by == "person"
    assert second.settings == settings
    assert second.turn == second.message_count == second.context_used == 0
    assert second.scroll == Scroll(follow=True)
    assert second.draft == second.summary.text == ""
    assert not second.unread
    assert not second.failed
    assert second.created == second.updated == 1000.0


def test_everything_kept_of_a_conversation_is_there_after_closing_and_opening(
    database: Path, settings: SessionSettings
) -> None:
    store = Store.open(database)
    session = store.create(settings).session
    store.rename(session, "Pirate", by="summarizer")
    store.set_settings(session, SessionSettings(system_instruction="Be brief."))
    store.set_draft(session, "half a tho\nught")
    store.set_scroll(session, Scroll(follow=False, message=7, row=3))
    store.set_unread(session, unread=True)
    store.set_failed(session, failed=True)
    store.set_context_used(session, 321)
    store.set_summary(session, "They met.", up_to=9)
    before = store.conversation(session)
    store.close()

    again = Store.open(database)
    assert again.conversations() == (before,)
    assert before.title == "Pirate"
    assert before.title_by == "summarizer"
    assert before.settings == SessionSettings(system_instruction="Be brief.")
    assert before.draft == "half a tho\nught"
    assert before.scroll == Scroll(follow=False, message=7, row=3)
    assert before.unread
    assert before.failed
    assert before.context_used == 321
    assert (before.summary.text, before.summary.up_to) == ("They met.", 9)
    assert before.summary.updated > 0
    again.close()


def test_a_record_is_a_view_of_the_protocol_by_its_names(
    store: Store, settings: SessionSettings
) -> None:
    record = store.create(settings, title="Pirate")
    view = msgspec.convert(record, SessionView, from_attributes=True)
    assert (view.session, view.title, view.settings) == (record.session, "Pirate", settings)


def test_tabs_can_be_opened_in_the_middle_and_closed(
    store: Store, settings: SessionSettings
) -> None:
    one, two, three = (store.create(settings).session for _ in range(3))
    between = store.create(settings, position=1).session
    assert tabs(store) == [one, between, two, three]
    store.close_tab(two)
    assert tabs(store) == [one, between, three]
    assert store.conversation(two).position is None
    store.open_at(two, 0)
    assert tabs(store) == [two, one, between, three]
    store.open_at(one, 99)
    assert tabs(store) == [two, between, three, one]
    store.open_at(three, -5)
    assert tabs(store) == [three, two, between, one]


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["open", "close", "delete"]), st.integers(0, 5), st.integers(-1, 7)
        ),
        max_size=12,
    )
)
def test_whatever_is_opened_closed_and_deleted_the_tabs_are_those_of_a_plain_list(
    store: Store, steps: list[tuple[str, int, int]]
) -> None:
    for left in store.conversations():
        store.library.delete([left.session])
    known = [store.create(SessionSettings()).session for _ in range(6)]
    expected = list(known)
    for step, which, position in steps:
        session = known[which]
        if session not in {each.session for each in store.conversations()}:
            continue
        expected = [tab for tab in expected if tab != session]
        if step == "open":
            store.open_at(session, position)
            expected.insert(max(0, position), session)
        elif step == "close":
            store.close_tab(session)
        else:
            store.library.delete([session])
        assert tabs(store) == expected


def test_closed_conversations_come_after_the_open_ones_newest_first(
    store: Store, settings: SessionSettings
) -> None:
    one, two, three = (store.create(settings).session for _ in range(3))
    store.close_tab(one)
    store.close_tab(two)
    assert [each.session for each in store.conversations()] == [three, two, one]
    assert tabs(store) == [three]


def test_a_number_is_never_used_again_also_not_after_opening_again(
    database: Path, settings: SessionSettings
) -> None:
    store = Store.open(database)
    first = store.create(settings).session
    message = store.add_message(first, turn=1, role="user", text="hi", state="complete")
    store.library.delete([first])
    store.close()
    store = Store.open(database)
    second = store.create(settings).session
    later = store.add_message(second, turn=1, role="user", text="hi", state="complete")
    assert second > first
    assert later.message > message.message
    store.close()


def test_deleting_a_conversation_takes_its_messages_and_closes_the_gap(
    store: Store, settings: SessionSettings
) -> None:
    one, two = (store.create(settings).session for _ in range(2))
    message = store.add_message(one, turn=1, role="user", text="hi", state="complete")
    store.library.delete([one])
    assert tabs(store) == [two]
    assert store.messages(one) == ()
    with pytest.raises(StoreError, match="no message"):
        store.message(message.message)


def test_every_call_about_a_conversation_that_does_not_exist_says_so(
    store: Store, settings: SessionSettings
) -> None:
    calls = [
        lambda: store.conversation(ABSENT),
        lambda: store.rename(ABSENT, "x", by="person"),
        lambda: store.set_settings(ABSENT, settings),
        lambda: store.set_draft(ABSENT, "x"),
        lambda: store.set_scroll(ABSENT, Scroll()),
        lambda: store.set_unread(ABSENT, unread=True),
        lambda: store.set_failed(ABSENT, failed=True),
        lambda: store.set_context_used(ABSENT, 1),
        lambda: store.set_summary(ABSENT, "x", up_to=0),
        lambda: store.open_at(ABSENT),
        lambda: store.close_tab(ABSENT),
        lambda: store.library.delete([ABSENT]),
        lambda: store.add_message(ABSENT, turn=1, role="user", state="complete"),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=f"no conversation {ABSENT}"):
            call()
    assert store.conversations() == ()


def test_a_number_too_large_for_the_database_is_an_error_of_the_store(store: Store) -> None:
    with pytest.raises(StoreError, match="too large"):
        store.conversation(2**64)


def test_settings_that_cannot_be_read_leave_the_conversation_readable(
    database: Path, settings: SessionSettings
) -> None:
    store = Store.open(database)
    session = store.create(settings, title="Pirate").session
    store.close()
    connection = open_database(database, busy_seconds=1)
    connection.execute("""UPDATE conversations SET settings = '{"sampling": {"top_k": "many"}}'""")
    store = Store(connection, database)
    assert store.conversation(session).title == "Pirate"
    assert store.conversation(session).settings == SessionSettings()
    store.close()
