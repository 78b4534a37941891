"""Bringing an older database up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SessionSettings
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
