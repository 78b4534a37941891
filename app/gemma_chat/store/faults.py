"""SQLite's errors as sentences that name the file and say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemma_chat.errors import StoreError

_PRIMARY_CODE = 0xFF


class AbsentError(StoreError):
    """There is no such message, or no longer."""


def absent_conversation(session: int) -> StoreError:
    """The error about a number that no conversation has."""
    return StoreError(f"There is no conversation {session}; it may have been deleted.")


_SENTENCES = {
    sqlite3.SQLITE_BUSY: (
        "The database {path} is locked by another process. Close the other program that uses it."
    ),
    sqlite3.SQLITE_LOCKED: "The database {path} is locked. Try again.",
    sqlite3.SQLITE_FULL: (
        "The disk that holds {path} is full; nothing was changed. Free some space and try again."
    ),
    sqlite3.SQLITE_READONLY: (
        "The database {path} cannot be written. Make the file and its folder writable for you."
    ),
    sqlite3.SQLITE_PERM: (
        "The database {path} cannot be written. Make the file and its folder writable for you."
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "The database {path} cannot be opened. Check that its folder exists and is writable for "
        "you."
    ),
    sqlite3.SQLITE_NOTADB: (
        "{path} is not a database of conversations; it was left as it is. Move it away to start "
        "with a new one."
    ),
    sqlite3.SQLITE_CORRUPT: (
        "The database {path} is damaged; it was left as it is. End the host with `gemma-chat host "
        "stop` and start again: what can be read is taken over, the damaged file is kept."
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk failed to read or write the database {path} ({reason}). Check that the disk is "
        "not full or broken."
    ),
    sqlite3.SQLITE_TOOBIG: "This text is too long for the database {path}: 1 GB is the limit.",
}


def sentence(error: sqlite3.Error, path: Path) -> str:
    """What to tell the person about `error`."""
    code = getattr(error, "sqlite_errorcode", None)
    template = _SENTENCES.get(code & _PRIMARY_CODE) if code is not None else None
    if template is None:
        template = "The database {path} could not be used: {reason}."
    return template.format(path=path, reason=error)


@contextmanager
def as_store_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors within the block into `StoreError`s about `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(sentence(error, path)) from error
    except OverflowError as error:
        raise StoreError(f"A number is too large for the database {path}: {error}.") from error
