"""What may be opened, what is refused, and that a refused file is not touched."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store import opening
from gemma_chat.store.migrations import APPLICATION_ID, SCHEMA_VERSION
from gemma_chat.store.store import Store


def fill(database: Path) -> None:
    store = Store.open(database)
    session = store.create(SessionSettings(), title="Kept").session
    for turn in range(50):
        store.add_message(session, turn=turn, role="user", text="x" * 4000, state="complete")
    store.close()


def assert_refused_untouched(database: Path, sentence: str) -> None:
    before = database.read_bytes()
    with pytest.raises(StoreError, match=sentence) as refused:
        Store.open(database)
    assert str(database) in str(refused.value)
    assert database.read_bytes() == before
    assert [file.name for file in database.parent.glob("conversations.db*")] == [database.name]


def test_the_file_is_made_private_to_its_owner(database: Path) -> None:
    store = Store.open(database)
    store.create(SessionSettings())
    for file in database.parent.glob("conversations.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store.close()


def test_a_file_that_others_could_read_is_made_private(database: Path) -> None:
    fill(database)
    database.chmod(0o644)
    Store.open(database).close()
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_closing_twice_is_fine_and_leaves_one_file(database: Path) -> None:
    store = Store.open(database)
    store.create(SessionSettings())
    store.close()
    store.close()
    assert [file.name for file in database.parent.glob("conversations.db*")] == [database.name]


def test_a_closed_store_says_so(database: Path) -> None:
    store = Store.open(database)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.conversations()


def test_the_schema_carries_its_version_and_our_mark(database: Path) -> None:
    fill(database)
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_an_empty_file_becomes_a_database(database: Path) -> None:
    database.touch()
    store = Store.open(database)
    assert store.conversations() == ()
    store.close()


@pytest.mark.parametrize(
    "content", [b"hello", b"x" * 5000, b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_left_as_it_is(database: Path, content: bytes) -> None:
    database.write_bytes(content)
    assert_refused_untouched(database, "is not a database of conversations; it was left as it is")


def test_the_database_of_another_program_is_left_as_it_is(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert_refused_untouched(database, "of another program")


def test_a_database_of_a_newer_version_is_left_as_it_is(database: Path) -> None:
    fill(database)
    with sqlite3.connect(database) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    assert_refused_untouched(database, f"has version {SCHEMA_VERSION + 1}.*newer gemma-chat")


def test_a_database_cut_in_half_is_left_as_it_is(database: Path) -> None:
    fill(database)
    content = database.read_bytes()
    database.write_bytes(content[: len(content) // 2])
    assert_refused_untouched(database, "is damaged")


def test_a_database_with_a_page_of_garbage_is_left_as_it_is(database: Path) -> None:
    fill(database)
    content = bytearray(database.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xa5" * (4096 * 4)
    database.write_bytes(content)
    assert_refused_untouched(database, "is damaged")


def test_a_folder_in_the_place_of_the_database_is_named(database: Path) -> None:
    database.mkdir()
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(database)


def test_the_missing_folder_of_the_database_is_named(database: Path) -> None:
    with pytest.raises(StoreError, match=r"folder of the database .* does not exist"):
        Store.open(database.parent / "missing" / database.name)


def test_a_pipe_in_the_place_of_the_database_is_not_waited_for(database: Path) -> None:
    os.mkfifo(database)
    with pytest.raises(StoreError, match="not a regular file"):
        Store.open(database)


def test_a_folder_that_may_not_be_written_is_named(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening.os, "open", refuse)
    with pytest.raises(StoreError, match=r"cannot be opened for writing \(Permission denied\)"):
        Store.open(database)


def test_a_database_that_may_only_be_read_says_so_when_written(database: Path) -> None:
    fill(database)
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)
    store = Store(connection, database)
    assert store.conversations()[0].title == "Kept"
    with pytest.raises(StoreError, match="cannot be written"):
        store.create(SessionSettings())
    store.close()


def test_a_database_locked_by_another_process_says_so_and_can_be_used_later(
    store: Store, database: Path
) -> None:
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another process"):
        store.create(SessionSettings())
    other.execute("ROLLBACK")
    other.close()
    assert store.create(SessionSettings()).session == 1


def test_another_process_can_read_while_this_one_is_in_the_middle_of_writing(
    store: Store, database: Path
) -> None:
    session = store.create(SessionSettings()).session
    reply = store.add_message(session, turn=1, role="assistant", state="streaming")
    reader = Store.open(database, busy_seconds=0.05)
    for text in ("one", "one two", "one two three"):
        store.update_message(reply.message, text=text, durability="soon")
        assert reader.message(reply.message).text == text
    reader.close()


def test_another_thread_is_refused_and_harms_nothing(store: Store) -> None:
    with ThreadPoolExecutor(1) as other, pytest.raises(StoreError, match="could not be used"):
        other.submit(store.create, SessionSettings()).result()
    assert store.create(SessionSettings()).session == 1


def test_a_full_disk_says_so_and_changes_nothing(database: Path) -> None:
    fill(database)
    connection = opening.open_database(database, busy_seconds=1)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    store = Store(connection, database)
    before = store.messages(1)
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match=r"is full; nothing was changed\. Free some space"):
        store.add_message(1, turn=99, role="user", text="y" * 1_000_000, state="complete")
    assert store.messages(1) == before
    assert store.conversation(1).turn == 49
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    store.add_message(1, turn=99, role="user", text="y" * 1_000_000, state="complete")
    assert store.conversation(1).turn == 99
    store.close()
