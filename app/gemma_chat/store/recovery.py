"""Rebuilding a damaged database from what of it can be read.

The damaged file is only read, and ends up under another name beside the rebuilt one; nothing is
overwritten. Whoever rebuilds must be the only one who uses the file: the host, which holds the
lock of its tenancy.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gemma_chat.errors import StoreError
from gemma_chat.store.copies import on_disk, remove_left_parts, unused
from gemma_chat.store.faults import as_store_errors
from gemma_chat.store.migrations import migrate
from gemma_chat.store.opening import DamagedDatabaseError
from gemma_chat.store.store import Store

_TABLES: Final = ("conversations", "messages", "media", "attachments", "replacements")
_COMPANIONS: Final = ("-wal", "-shm")
_PART: Final = "-rebuilding-"
_REBUILT: Final = "-rebuilt-"
_ASIDE: Final = "-damaged-"
_UNKNOWN_END: Final = 1_000_000
"""How far numbers are tried when the damage hides how many there were."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a damaged database."""

    kept_aside: Path
    conversations: int
    messages: int

    @property
    def sentence(self) -> str:
        """What to tell the person."""
        return (
            f"The database of conversations was damaged. {self.conversations} conversations with "
            f"{self.messages} messages could be read and are here; the damaged file is kept as "
            f"{self.kept_aside}."
        )


def open_or_recover(path: Path) -> tuple[Store, Recovery | None]:
    """Open the database at `path`; a damaged one is rebuilt first.

    Raises `StoreError` as `Store.open` does, and when there is no room to rebuild it.
    """
    remove_left_parts(path.parent)
    recovery = _finish_recovery(path)
    if recovery is None:
        try:
            return Store.open(path), None
        except DamagedDatabaseError as error:
            _log.error("%s", error)
        recovery = recover(path)
    _log.warning("%s", recovery.sentence)
    return Store.open(path), recovery


def recover(path: Path) -> Recovery:
    """Put a rebuilt database in the place of the damaged one at `path`, which is kept aside.

    From the moment the rebuilt one is whole it has a name of its own, by which the next start
    finds it should this one be cut off.
    """
    stamp = time.strftime("%Y%m%d-%H%M%S")
    part = unused(path.with_name(f"{path.stem}{_PART}{stamp}{path.suffix}"))
    aside = unused(path.with_name(f"{path.stem}{_ASIDE}{stamp}{path.suffix}"))
    rebuilt = path.with_name(aside.name.replace(_ASIDE, _REBUILT))
    try:
        counts = _rebuild(path, part)
        on_disk(part)
        part.rename(rebuilt)
        return Recovery(_exchange(path, rebuilt), *counts)
    except OSError as error:
        raise _not_rebuilt(path, error) from None
    finally:
        part.unlink(missing_ok=True)


def _finish_recovery(path: Path) -> Recovery | None:
    """Go on where a recovery was cut off, if one was."""
    try:
        for part in path.parent.glob(f"{path.stem}{_PART}*{path.suffix}*"):
            part.unlink()
        for rebuilt in path.parent.glob(f"{path.stem}{_REBUILT}*{path.suffix}"):
            counts = _counts(rebuilt)
            return Recovery(_exchange(path, rebuilt), *counts)
    except OSError as error:
        raise _not_rebuilt(path, error) from None
    return None


def _exchange(path: Path, rebuilt: Path) -> Path:
    """Put `rebuilt` in the place of `path`; returns where that is kept. Again is fine.

    Never is there a log beside a database that it does not belong to: it would be played into it.
    """
    aside = path.with_name(rebuilt.name.replace(_REBUILT, _ASIDE))
    if not aside.exists():
        try:
            os.link(path, aside)
        except OSError:
            # A file system without links.
            path.rename(aside)
    for ending in _COMPANIONS:
        companion = path.with_name(path.name + ending)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + ending))
    rebuilt.replace(path)
    return aside


def _counts(rebuilt: Path) -> tuple[int, int]:
    with as_store_errors(rebuilt), closing(sqlite3.connect(rebuilt)) as connection:
        conversations, messages = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("conversations", "messages")
        )
    return conversations, messages


def _not_rebuilt(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The damaged database {path} cannot be rebuilt ({error.strerror}). Make its folder "
        "writable for you and free some space."
    )


def _rebuild(damaged: Path, rebuilt: Path) -> tuple[int, int]:
    """Write what of `damaged` can be read into the new file `rebuilt`; counts its rows."""
    os.close(os.open(rebuilt, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with (
        as_store_errors(rebuilt),
        closing(sqlite3.connect(rebuilt, isolation_level=None)) as target,
        closing(sqlite3.connect(f"{damaged.as_uri()}?mode=ro", uri=True)) as source,
    ):
        migrate(target)
        target.execute("BEGIN")
        for table in _TABLES:
            _take_over(source, target, table)
        _adopt_orphans(target)
        _close_gaps(target)
        _drop_loose_files(target)
        _drop_loose_replacements(target)
        target.execute("COMMIT")
    return _counts(rebuilt)


def _take_over(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    known = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    try:
        there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return
    columns = [column for column in known if column in there]
    if not columns:
        return
    statement = (
        f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) "
        f"VALUES ({', '.join('?' * len(columns))})"
    )
    for row in _readable(source, table, columns):
        try:
            target.execute(statement, row)
        except sqlite3.IntegrityError as error:
            _log.warning("a row of %s was left out: %s", table, error)


def _readable(
    source: sqlite3.Connection, table: str, columns: list[str]
) -> Iterator[tuple[object, ...]]:
    """All rows that can be read, found by halving each range of numbers that cannot."""
    statement = (
        f"SELECT {', '.join(columns)} FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
    )
    ranges = [(1, _end(source, table))]
    while ranges:
        low, high = ranges.pop()
        try:
            yield from source.execute(statement, (low, high)).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            if low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]


def _end(source: sqlite3.Connection, table: str) -> int:
    """A number no row of `table` is above."""
    for statement in (
        f"SELECT max(rowid) FROM {table}",
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",
    ):
        try:
            row = source.execute(statement).fetchone()
        except sqlite3.DatabaseError:
            continue
        if row is not None and isinstance(row[0], int):
            return row[0]
    return _UNKNOWN_END


def _adopt_orphans(target: sqlite3.Connection) -> None:
    """Give messages whose conversation could not be read a conversation to stand in."""
    target.execute(
        "INSERT INTO conversations (id, title, settings, turn, created, updated) "
        "SELECT conversation, 'Recovered ' || conversation, '{}', max(turn), min(created), "
        "max(created) FROM messages "
        "WHERE conversation NOT IN (SELECT id FROM conversations) GROUP BY conversation"
    )


def _close_gaps(target: sqlite3.Connection) -> None:
    """Let messages whose parent is lost follow what is left, see `branches`.

    The shown messages of a conversation are one line in the order of their numbers; what hung on
    a lost message elsewhere becomes a branch at the beginning that is not shown.
    """
    target.execute(
        "UPDATE messages SET chosen = 1, parent = coalesce((SELECT max(older.id) "
        "FROM messages AS older WHERE older.conversation = messages.conversation "
        "AND older.shown = 1 AND older.id < messages.id), 0) WHERE shown = 1"
    )
    target.execute(
        "UPDATE messages SET chosen = 0, parent = 0 "
        "WHERE shown = 0 AND parent != 0 AND parent NOT IN (SELECT id FROM messages)"
    )


def _drop_loose_files(target: sqlite3.Connection) -> None:
    """Leave out attachments whose message or bytes are lost, and bytes nobody names."""
    target.execute(
        "DELETE FROM attachments WHERE message NOT IN (SELECT id FROM messages) "
        "OR digest NOT IN (SELECT digest FROM media)"
    )
    target.execute("DELETE FROM media WHERE digest NOT IN (SELECT digest FROM attachments)")


def _drop_loose_replacements(target: sqlite3.Connection) -> None:
    """Leave out what was decided at a lost message, or about one: it is decided anew."""
    target.execute(
        "DELETE FROM replacements WHERE after NOT IN (SELECT id FROM messages) "
        "OR up_to NOT IN (SELECT id FROM messages) "
        "OR conversation NOT IN (SELECT id FROM conversations)"
    )
