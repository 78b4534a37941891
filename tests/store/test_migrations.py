"""Bringing an older database up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store import migrations
from gemma_chat.store.store import Store


@pytest.fixture
def older(database: Path) -> Path:
    """A database as the present version leaves it, about to be opened by a later one."""
    store = Store.open(database)
    store.create(SessionSettings(), title="Old")
    store.close()
    return database


def open_with(monkeypatch: pytest.MonkeyPatch, path: Path, *statements: str) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, statements))
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", len(migrations.MIGRATIONS))
    with sqlite3.connect(path, isolation_level=None) as connection:
        migrations.migrate(connection)
    connection.close()


def columns_and_version(path: Path) -> tuple[list[str], int]:
    with sqlite3.connect(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(conversations)")]
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return columns, version


def test_a_later_step_is_added_and_what_was_there_is_kept(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, version = columns_and_version(older)
    open_with(monkeypatch, older, "ALTER TABLE conversations ADD COLUMN folder TEXT")
    assert columns_and_version(older) == ([*before, "folder"], version + 1)
    with sqlite3.connect(older) as connection:
        assert connection.execute("SELECT title FROM conversations").fetchall() == [("Old",)]
    connection.close()


def test_a_step_that_fails_in_the_middle_changes_nothing(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = columns_and_version(older)
    with pytest.raises(sqlite3.OperationalError):
        open_with(monkeypatch, older, "ALTER TABLE conversations ADD COLUMN folder TEXT", "NOT SQL")
    assert columns_and_version(older) == before


def test_opening_again_runs_no_step_twice(older: Path) -> None:
    before = columns_and_version(older)
    Store.open(older).close()
    assert columns_and_version(older) == before


def as_version_1(database: Path) -> None:
    """Make the empty file a database of the first version, with one message."""
    with sqlite3.connect(database) as connection:
        for statement in migrations.MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO conversations (title, settings, created, updated) VALUES ('A', '{}', 1, 1)"
        )
        connection.execute(
            "INSERT INTO messages (conversation, turn, role, text, state, created) "
            "VALUES (1, 1, 'user', 'an old question', 'complete', 1)"
        )
    connection.close()


def test_an_older_database_is_copied_before_it_is_changed(database: Path) -> None:
    as_version_1(database)
    Store.open(database).close()
    copy = database.with_name("conversations-version-1.db")
    assert columns_and_version(copy)[1] == 1
    assert copy.stat().st_mode & 0o777 == 0o600
    assert columns_and_version(database)[1] == migrations.SCHEMA_VERSION


def test_a_copy_that_was_kept_before_is_not_overwritten(database: Path) -> None:
    database.with_name("conversations-version-1.db").write_text("kept")
    as_version_1(database)
    Store.open(database).close()
    assert database.with_name("conversations-version-1.db").read_text() == "kept"
    assert columns_and_version(database.with_name("conversations-version-1-2.db"))[1] == 1


def test_without_room_for_the_copy_nothing_is_changed(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_version_1(database)
    before = database.read_bytes()

    def full(*_: object, **__: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(StoreError, match="No space left"):
        Store.open(database)
    assert database.read_bytes() == before


def test_what_was_said_before_the_index_existed_is_found(database: Path) -> None:
    as_version_1(database)
    store = Store.open(database)
    assert [hit.message for hit in store.library.search("old quest")] == [1]
    store.close()
