"""Files of messages: stored once, kept as long as a message has them."""

from __future__ import annotations

import sqlite3

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store.records import Attachment, Message, NewAttachment
from gemma_chat.store.store import Store

CAT = NewAttachment(
    facts=Attachment("cat.png", "c" * 64, "image", "PNG", 3, width=4, height=2), data=b"cat"
)
SONG = NewAttachment(
    facts=Attachment("song.wav", "5" * 64, "audio", "WAV", 4, seconds=1.5), data=b"song"
)


@pytest.fixture
def session(store: Store) -> int:
    return store.create(SessionSettings()).session


def ask(store: Store, session: int, *files: NewAttachment, **options: int) -> Message:
    return store.add_message(
        session, turn=1, role="user", text="Look.", state="complete", attachments=files, **options
    )


def stored_files(store: Store) -> int:
    with sqlite3.connect(store.path) as connection:
        (count,) = connection.execute("SELECT count(*) FROM media").fetchone()
    connection.close()
    return int(count)


def test_a_message_comes_back_with_its_files_in_order(store: Store, session: int) -> None:
    asked = ask(store, session, CAT, SONG)
    plain = ask(store, session)
    assert asked.attachments == (CAT.facts, SONG.facts)
    assert store.messages(session) == (asked, plain)
    assert plain.attachments == ()
    assert store.file_of(SONG.facts.digest) == b"song"


def test_the_same_bytes_are_kept_once_under_every_name(store: Store, session: int) -> None:
    ask(store, session, CAT, CAT)
    renamed = NewAttachment(
        facts=Attachment("tom\ud800.png", CAT.facts.digest, "image", "PNG", 3, 4, 2), data=b"cat"
    )
    assert ask(store, session, renamed).attachments[0].name == "tom\ufffd.png"
    assert stored_files(store) == 1


def test_bytes_go_with_the_last_message_that_has_them(store: Store, session: int) -> None:
    first, second = ask(store, session, CAT), ask(store, session, CAT, SONG)
    store.remove_message(first.message)
    assert store.file_of(CAT.facts.digest) == b"cat"
    store.branches.remove_following(second.message)
    assert stored_files(store) == 0
    with pytest.raises(StoreError, match="no such attachment"):
        store.file_of(CAT.facts.digest)


def test_bytes_go_with_their_conversation(store: Store, session: int) -> None:
    ask(store, session, CAT)
    store.library.delete([session])
    assert stored_files(store) == 0


def test_an_edited_question_and_a_fork_have_the_files_of_the_old_one(
    store: Store, session: int
) -> None:
    asked = ask(store, session, CAT)
    edited = ask(store, session, SONG, parent=asked.parent, attachments_of=asked.message)
    assert [file.name for file in edited.attachments] == ["cat.png", "song.wav"]
    other = store.create(SessionSettings()).session
    store.branches.fork(session, other, edited.message)
    (copied,) = store.messages(other)
    assert copied.attachments == edited.attachments


def test_a_message_that_cannot_be_stored_leaves_no_bytes(store: Store) -> None:
    with pytest.raises(StoreError):
        ask(store, 99, CAT)
    assert stored_files(store) == 0
