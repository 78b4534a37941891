"""Conversations as trees: branches are kept, one line of them is shown."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import SETTINGS

from gemma_chat.errors import StoreError
from gemma_chat.store import migrations
from gemma_chat.store.interruption import INTERRUPTED_QUESTION
from gemma_chat.store.records import Message
from gemma_chat.store.store import Store
from gemma_chat.terms import MessageRole, MessageState


@pytest.fixture
def session(store: Store) -> int:
    return store.create(SETTINGS).session


def say(
    store: Store,
    session: int,
    text: str,
    *,
    parent: int | None = None,
    state: MessageState = "complete",
) -> int:
    """Add a message; the first letter tells who says it: `q…` asks, `r…` replies."""
    role: MessageRole = "user" if text.startswith("q") else "assistant"
    turn = store.conversation(session).turn + (role == "user")
    added = store.add_message(session, turn=turn, role=role, text=text, state=state, parent=parent)
    return added.message


def shown(store: Store, session: int) -> str:
    """The shown texts; `*` marks a place with other branches, as in `q1 r2*2/3`."""
    return " ".join(map(_short, store.messages(session)))


def _short(message: Message) -> str:
    branch = f"*{message.branch}/{message.branches}" if message.branches > 1 else ""
    return message.text + branch


def test_messages_follow_each_other_unless_a_parent_is_named(store: Store, session: int) -> None:
    q1 = say(store, session, "q1")
    r1 = say(store, session, "r1")
    assert [message.parent for message in store.messages(session)] == [0, q1]
    assert store.branches.end(session) == r1


def test_a_second_reply_is_shown_and_the_first_is_kept(store: Store, session: int) -> None:
    q1 = say(store, session, "q1")
    r1 = say(store, session, "r1")
    say(store, session, "q2")
    say(store, session, "r1b", parent=q1)
    assert shown(store, session) == "q1 r1b*2/2"
    assert store.conversation(session).message_count == 2
    store.branches.show(r1)
    assert shown(store, session) == "q1 r1*1/2 q2"


def test_an_edited_first_question_is_a_branch_of_the_whole_conversation(
    store: Store, session: int
) -> None:
    q1 = say(store, session, "q1")
    say(store, session, "r1")
    edited = say(store, session, "q1b", parent=0)
    assert shown(store, session) == "q1b*2/2"
    assert store.branches.sibling(edited, 1) == q1
    with pytest.raises(StoreError, match="no branch 3"):
        store.branches.sibling(edited, 3)


def test_going_back_to_a_branch_shows_what_was_shown_below_it(store: Store, session: int) -> None:
    q1 = say(store, session, "q1")
    r1 = say(store, session, "r1")
    say(store, session, "q2")
    q2b = say(store, session, "q2b", parent=r1)
    r1b = say(store, session, "r1b", parent=q1)
    store.branches.show(q2b)
    assert shown(store, session) == "q1 r1b*2/2"
    store.branches.show(r1)
    assert shown(store, session) == "q1 r1*1/2 q2b*2/2"
    assert not store.branches.is_shown(session, r1b)
    assert store.branches.is_shown(session, q2b)


def test_a_new_message_goes_to_the_end_of_the_branch_that_is_shown(
    store: Store, session: int
) -> None:
    q1 = say(store, session, "q1")
    r1 = say(store, session, "r1")
    say(store, session, "r1b", parent=q1)
    store.branches.show(r1)
    say(store, session, "q2")
    assert shown(store, session) == "q1 r1*1/2 q2"


def test_a_reply_that_is_taken_out_gives_its_place_to_what_follows(
    store: Store, session: int
) -> None:
    say(store, session, "q1")
    r1 = say(store, session, "r1")
    say(store, session, "q2")
    store.remove_message(r1)
    assert shown(store, session) == "q1 q2"


def test_a_new_reply_that_is_taken_out_brings_the_earlier_one_back(
    store: Store, session: int
) -> None:
    q1 = say(store, session, "q1")
    say(store, session, "r1")
    say(store, session, "q2")
    r1b = say(store, session, "r1b", parent=q1)
    store.remove_message(r1b)
    assert shown(store, session) == "q1 r1 q2"


def test_deleting_a_message_and_what_follows_shows_the_branch_beside_it(
    store: Store, session: int
) -> None:
    q1 = say(store, session, "q1")
    say(store, session, "r1")
    r1b = say(store, session, "r1b", parent=q1)
    q2 = say(store, session, "q2")
    assert store.branches.following(r1b) == (r1b, q2)
    store.branches.remove_following(r1b)
    assert shown(store, session) == "q1 r1"
    store.branches.remove_following(q1)
    assert shown(store, session) == ""


def test_deleting_an_exchange_keeps_what_follows_its_shown_reply(
    store: Store, session: int
) -> None:
    say(store, session, "q1")
    say(store, session, "r1")
    q2 = say(store, session, "q2")
    say(store, session, "r2")
    say(store, session, "r2b", parent=q2)
    say(store, session, "q3")
    store.branches.remove_exchange(q2)
    assert shown(store, session) == "q1 r1 q3"


def test_deleting_a_question_without_reply_keeps_the_next_question(
    store: Store, session: int
) -> None:
    q1 = say(store, session, "q1", state="failed")
    say(store, session, "q2")
    say(store, session, "r2")
    store.branches.remove_exchange(q1)
    assert shown(store, session) == "q2 r2"


def test_a_fork_copies_the_shown_branch_up_to_a_message(store: Store, session: int) -> None:
    q1 = say(store, session, "q1")
    say(store, session, "r1")
    r1b = say(store, session, "r1b", parent=q1)
    store.branches.pin(r1b, pinned=True)
    say(store, session, "q2")
    copy = store.create(SETTINGS).session
    store.branches.fork(session, copy, r1b)
    assert shown(store, copy) == "q1 r1b"
    assert [message.pinned for message in store.messages(copy)] == [False, True]
    assert store.conversation(copy).turn == 1
    say(store, copy, "q9")
    assert shown(store, session) == "q1 r1b*2/2 q2"


def test_a_pin_is_kept_and_taken_back(store: Store, session: int) -> None:
    q1 = say(store, session, "q1")
    store.branches.pin(q1, pinned=True)
    assert store.message(q1).pinned
    store.branches.pin(q1, pinned=False)
    assert not store.message(q1).pinned
    with pytest.raises(StoreError, match="no message 99"):
        store.branches.pin(99, pinned=True)


def test_a_reopened_reply_is_written_in_a_turn_of_its_own(store: Store, session: int) -> None:
    say(store, session, "q1")
    r1 = say(store, session, "r1", state="stopped")
    store.branches.reopen(r1, turn=7)
    assert (store.message(r1).turn, store.message(r1).state) == (7, "streaming")
    assert store.conversation(session).turn == 7


def test_the_death_of_a_second_reply_before_its_first_word_brings_the_first_one_back(
    store: Store, session: int
) -> None:
    q1 = say(store, session, "q1")
    say(store, session, "r1")
    store.update_message(q1, state="queued")
    store.add_message(session, turn=2, role="assistant", state="queued", parent=q1)
    assert store.mark_interrupted() == ()
    assert shown(store, session) == "q1 r1"
    assert store.message(q1).state == "complete"


def test_a_waiting_question_of_a_dead_host_is_interrupted(store: Store, session: int) -> None:
    say(store, session, "q1")
    say(store, session, "r1")
    q2 = say(store, session, "q2", state="queued")
    store.add_message(session, turn=2, role="assistant", state="queued")
    assert [message.message for message in store.mark_interrupted()] == [q2]
    assert store.message(q2).error == INTERRUPTED_QUESTION
    assert shown(store, session) == "q1 r1 q2"


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["say", "branch", "show", "take out", "following", "exchange"]),
        st.integers(0, 40),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(OPERATIONS)
def test_one_line_of_messages_is_shown_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int]]
) -> None:
    store = Store.open(tmp_path_factory.mktemp("tree") / "conversations.db")
    session = store.create(SETTINGS).session
    for operation, number in operations:
        line = store.messages(session)
        chosen = line[number % len(line)] if line else None
        role: MessageRole = "user" if number % 2 else "assistant"
        if chosen is None or operation == "say":
            store.add_message(session, turn=1, role=role, text="t", state="complete")
        else:
            _do(store, session, operation, chosen, role)
        _check_tree(store, session)
    store.close()


def _do(store: Store, session: int, operation: str, chosen: Message, role: MessageRole) -> None:
    match operation:
        case "branch":
            store.add_message(
                session, turn=1, role=role, text="b", state="complete", parent=chosen.parent
            )
        case "show":
            store.branches.show(store.branches.sibling(chosen.message, 1))
        case "take out":
            store.remove_message(chosen.message)
        case "following":
            store.branches.remove_following(chosen.message)
        case "exchange":
            store.branches.remove_exchange(chosen.message)


def _check_tree(store: Store, session: int) -> None:
    with sqlite3.connect(store.path) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT id, parent, chosen, shown FROM messages WHERE conversation = ? ORDER BY id",
            (session,),
        ).fetchall()
    connection.close()
    known = {number: (parent, chosen, seen) for number, parent, chosen, seen in rows}
    for parent in {row[1] for row in rows}:
        assert sum(row[2] for row in rows if row[1] == parent) == 1
    for number, (parent, chosen, seen) in known.items():
        assert parent < number
        assert parent == 0 or parent in known
        above = parent == 0 or known[parent][2]
        assert bool(seen) == bool(chosen and above)
    line = store.messages(session)
    assert [m.parent for m in line] == [0, *(m.message for m in line)][: len(line)]
    assert (not rows) or line


def test_an_older_database_becomes_one_line_for_each_conversation(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
        earlier.setattr(migrations, "SCHEMA_VERSION", 1)
        with sqlite3.connect(database, isolation_level=None) as connection:
            migrations.migrate(connection)
            connection.execute(
                "INSERT INTO conversations (settings, created, updated) VALUES ('{}', 0, 0)"
            )
            connection.execute(
                "INSERT INTO conversations (settings, created, updated) VALUES ('{}', 0, 0)"
            )
            for session, role, text in (
                (1, "user", "q1"),
                (2, "user", "q1"),
                (1, "assistant", "r1"),
                (1, "user", "q2"),
            ):
                connection.execute(
                    "INSERT INTO messages (conversation, turn, role, text, state, created) "
                    "VALUES (?, 1, ?, ?, 'complete', 0)",
                    (session, role, text),
                )
        connection.close()
    store = Store.open(database)
    assert [shown(store, session) for session in (1, 2)] == ["q1 r1 q2", "q1"]
    assert [message.parent for message in store.messages(1)] == [0, 1, 3]
    say(store, 1, "r2")
    assert shown(store, 1) == "q1 r1 q2 r2"
    store.close()
