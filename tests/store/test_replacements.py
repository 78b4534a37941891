"""What the model is given in the place of the oldest messages, kept branch by branch."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.store.conftest import SETTINGS, Clock

from gemma_chat.errors import StoreError
from gemma_chat.store.recovery import recover
from gemma_chat.store.store import Store


@pytest.fixture
def session(store: Store) -> int:
    """A conversation of the messages 1 to 6."""
    session = store.create(SETTINGS).session
    for turn in (1, 2, 3):
        for role in ("user", "assistant"):
            store.add_message(session, turn=turn, role=role, text=role, state="complete")
    return session


def decided(store: Store, session: int) -> list[tuple[int, int, int, str]]:
    return [
        (one.after, one.up_to, one.covered_up_to, one.text)
        for one in store.replacements.of(session)
    ]


def test_a_decision_is_kept_and_one_at_the_same_message_takes_its_place(
    store: Store, session: int, clock: Clock
) -> None:
    clock.now = 5.0
    store.replacements.keep(session, after=4, up_to=2, covered_up_to=0, text="")
    store.replacements.keep(session, after=4, up_to=2, covered_up_to=4, text="told\ud800")
    store.replacements.keep(session, after=6, up_to=4, covered_up_to=6, text="more")
    assert decided(store, session) == [(4, 2, 4, "told\ufffd"), (6, 4, 6, "more")]
    assert store.replacements.of(session)[0].created == 5.0
    with pytest.raises(StoreError):
        store.replacements.keep(session, after=99, up_to=2, covered_up_to=0, text="")


def test_it_holds_where_its_message_is_shown(store: Store, session: int) -> None:
    store.replacements.keep(session, after=4, up_to=2, covered_up_to=2, text="told")
    other = store.add_message(session, turn=4, role="user", text="b", state="complete", parent=2)
    assert decided(store, session) == []
    store.branches.show(3)
    assert decided(store, session) == [(4, 2, 2, "told")]
    store.branches.show(other.message)
    assert decided(store, session) == []


def test_what_is_replaced_is_counted_without_what_is_pinned(store: Store, session: int) -> None:
    assert store.replacements.count(session, 4) == 4
    store.branches.pin(2, pinned=True)
    assert store.replacements.count(session, 4) == 2
    store.branches.pin(3, pinned=True)
    assert store.replacements.count(session, 4) == 0
    assert store.replacements.count(session, 6) == 2


def test_decisions_go_with_the_messages_they_are_about(store: Store, session: int) -> None:
    store.replacements.keep(session, after=4, up_to=2, covered_up_to=2, text="one")
    store.replacements.keep(session, after=6, up_to=4, covered_up_to=4, text="two")
    store.replacements.forget(session, 3)
    assert decided(store, session) == [(4, 2, 2, "one")]
    store.branches.remove_following(3)
    assert decided(store, session) == []


def test_a_decision_goes_with_a_message_its_summary_tells_of_although_that_was_not_replaced(
    store: Store, session: int
) -> None:
    store.replacements.keep(session, after=6, up_to=2, covered_up_to=4, text="told")
    store.replacements.forget(session, 5)
    assert decided(store, session) == [(6, 2, 4, "told")]
    store.replacements.forget(session, 3)
    assert decided(store, session) == []


def test_a_fork_has_the_decisions_and_the_summary_of_what_was_copied(
    store: Store, session: int
) -> None:
    store.replacements.keep(session, after=4, up_to=2, covered_up_to=4, text="one")
    store.replacements.keep(session, after=6, up_to=4, covered_up_to=6, text="two")
    store.set_summary(session, "All of it.", up_to=4)
    copy, shorter = store.create(SETTINGS).session, store.create(SETTINGS).session
    store.branches.fork(session, copy, 4)
    store.branches.fork(session, shorter, 2)
    first = store.messages(copy)[0].message
    assert decided(store, copy) == [(first + 3, first + 1, first + 3, "one")]
    assert store.conversation(copy).summary.text == "All of it."
    assert store.conversation(copy).summary.up_to == first + 3
    assert decided(store, shorter) == []
    assert store.conversation(shorter).summary.text == ""


def test_a_rebuilt_database_has_those_whose_messages_could_be_read(
    store: Store, session: int, database: Path
) -> None:
    store.replacements.keep(session, after=4, up_to=2, covered_up_to=2, text="one")
    store.replacements.keep(session, after=6, up_to=4, covered_up_to=4, text="two")
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM messages WHERE id = 6")
    connection.close()
    recover(database)
    rebuilt = Store.open(database)
    assert decided(rebuilt, session) == [(4, 2, 2, "one")]
    rebuilt.close()
