"""A damaged database is rebuilt from what can be read, and kept."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store.opening import DamagedDatabaseError
from gemma_chat.store.recovery import open_or_recover
from gemma_chat.store.store import Store

PAGE = 4096


@pytest.fixture
def filled(database: Path) -> Path:
    """Two open conversations, each with 60 messages that fill a page by themselves."""
    store = Store.open(database)
    for title in ("First", "Second"):
        session = store.create(SessionSettings(), title=title).session
        for turn in range(60):
            text = f"{title} {turn} {'x' * 3000}"
            store.add_message(session, turn=turn, role="user", text=text, state="complete")
    store.close()
    return database


def page_with(database: Path, text: str) -> int:
    """The offset of the page that holds `text`."""
    return database.read_bytes().index(text.encode()) // PAGE * PAGE


def damage(database: Path, offset: int) -> bytes:
    """Overwrite the page at `offset`; returns what the file holds then."""
    with database.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * PAGE)
    return database.read_bytes()


def test_a_sound_database_is_just_opened(filled: Path) -> None:
    store, recovery = open_or_recover(filled)
    assert recovery is None
    store.close()


def test_what_can_be_read_is_there_and_the_damaged_file_is_kept_as_it_was(filled: Path) -> None:
    damaged = damage(filled, page_with(filled, "First 30 x"))
    with pytest.raises(DamagedDatabaseError, match="is damaged"):
        Store.open(filled)
    store, recovery = open_or_recover(filled)
    assert recovery is not None
    assert recovery.kept_aside.read_bytes() == damaged
    assert [one.title for one in store.conversations(open_only=True)] == ["First", "Second"]
    texts = [one.text.split(" x")[0] for one in store.messages(1) + store.messages(2)]
    lost = {f"{title} {turn}" for title in ("First", "Second") for turn in range(60)} - set(texts)
    assert "First 30" in lost
    parents = [one.parent for one in store.messages(1)]
    assert parents == [0, *(one.message for one in store.messages(1))][:-1]
    assert len(lost) <= 2
    assert f"{120 - len(lost)} messages" in recovery.sentence
    assert str(recovery.kept_aside) in recovery.sentence
    store.close()


def test_what_was_taken_over_is_found_by_search_and_can_be_added_to(filled: Path) -> None:
    damage(filled, page_with(filled, "First 30 x"))
    store, _ = open_or_recover(filled)
    assert store.library.search('"Second 7"')[0].session == 2
    added = store.add_message(2, turn=99, role="user", text="goes on", state="complete")
    assert added.message > 100
    store.close()


def test_a_file_cut_in_half_gives_what_is_left_of_it(filled: Path) -> None:
    content = filled.read_bytes()
    filled.write_bytes(content[: len(content) // 2])
    store, recovery = open_or_recover(filled)
    assert recovery is not None
    assert recovery.messages == sum(
        len(store.messages(one.session)) for one in store.conversations()
    )
    store.close()


def test_messages_without_their_conversation_get_one_to_stand_in(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("DELETE FROM conversations WHERE id = 1")
    connection.commit()
    connection.close()
    damage(filled, page_with(filled, "Second 30 x"))
    store, _ = open_or_recover(filled)
    assert store.conversation(1).title == "Recovered 1"
    assert len(store.messages(1)) == 60
    store.close()


def test_files_of_messages_are_taken_over_as_far_as_both_can_be_read(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    for digest, message in (("kept", 100), ("lost", 31)):
        connection.execute(
            "INSERT INTO media VALUES (?, 'image', 'png', 1, 1, 1, 0, x'00')", (digest,)
        )
        connection.execute("INSERT INTO attachments VALUES (?, 0, ?, 'a.png')", (message, digest))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damage(filled, page_with(filled, "First 30 x"))
    store, _ = open_or_recover(filled)
    [attached] = store.message(100).attachments
    assert attached.digest == "kept"
    with pytest.raises(StoreError, match="no such attachment"):
        store.file_of("lost")
    store.close()


def test_a_damaged_file_that_was_kept_before_is_not_overwritten(filled: Path) -> None:
    for title in ("First", "Second"):
        damage(filled, page_with(filled, f"{title} 30 x"))
        store, _ = open_or_recover(filled)
        store.close()
    assert len(list(filled.parent.glob("conversations-damaged-*.db"))) == 2


def test_a_file_that_is_no_database_is_not_recovered(database: Path) -> None:
    database.write_text("my shopping list")
    with pytest.raises(StoreError, match="not a database"):
        open_or_recover(database)
    assert list(database.parent.glob("conversations*")) == [database]


CUT_OFF = """
import os, sys
from pathlib import Path
from gemma_chat.store.recovery import open_or_recover

setattr(os, sys.argv[2], lambda *names, **options: os._exit(9))
open_or_recover(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("step", ["fsync", "link", "rename", "replace"])
def test_a_recovery_that_is_cut_off_is_finished_by_the_next_start(filled: Path, step: str) -> None:
    damaged = damage(filled, page_with(filled, "First 30 x"))
    # What came last stands in the log alone.
    log = filled.with_name(f"{filled.name}-wal")
    log.write_bytes(b"a log")
    cut_off = subprocess.run([sys.executable, "-c", CUT_OFF, filled, step], check=False)
    assert cut_off.returncode == 9
    assert filled.exists()
    store, recovery = open_or_recover(filled)
    assert recovery is not None
    assert recovery.kept_aside.read_bytes() == damaged
    assert recovery.messages == len(store.messages(1)) + len(store.messages(2)) >= 118
    store.close()
    left = {file.name for file in filled.parent.iterdir()}
    assert not any("rebuil" in name for name in left)
    assert open_or_recover(filled)[1] is None


def test_where_files_cannot_be_linked_the_damaged_one_is_kept_all_the_same(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = damage(filled, page_with(filled, "First 30 x"))

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store, recovery = open_or_recover(filled)
    assert recovery is not None
    assert recovery.kept_aside.read_bytes() == damaged
    assert len(store.messages(1)) >= 58
    store.close()
