"""Opening the database file: every reason to refuse is found before a byte of it is written."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import struct
from pathlib import Path

from gemma_chat.errors import StoreError
from gemma_chat.store.copies import copy_before_migration
from gemma_chat.store.faults import as_store_errors
from gemma_chat.store.migrations import APPLICATION_ID, SCHEMA_VERSION, migrate

_log = logging.getLogger(__name__)

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_USER_VERSION_AT = 60
_APPLICATION_ID_AT = 68
_QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""Up to this size the pages are checked on opening; it takes well under a second."""


class DamagedDatabaseError(StoreError):
    """The database is ours and damaged: `recovery` rebuilds it from what can be read."""


def open_database(path: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """Open or create the database at `path`, ready for use; raises `StoreError`.

    The file is private to its owner (0600). A file that is not ours, is damaged, or was written
    by a newer version is left untouched.
    """
    header = _read_header(path)
    _check_header(path, header)
    with as_store_errors(path):
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            _check_contents(path, connection)
            _keep_copy(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
                raise _damaged(path, error) from error
            raise
        except BaseException:
            connection.close()
            raise
    return connection


def _read_header(path: Path) -> bytes:
    """The first bytes of the file, which is created empty and private when it does not exist."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except IsADirectoryError:
        raise StoreError(f"The database {path} is a folder. Move it away.") from None
    except FileNotFoundError:
        raise StoreError(
            f"The folder of the database {path} does not exist. Make it first."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be opened for writing ({error.strerror}). Make the file "
            "and its folder writable for you."
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"The database {path} is not a regular file. Move it away.")
        if status.st_mode & 0o077 and status.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o600)
        return file.read(_HEADER_BYTES)


def _check_header(path: Path, header: bytes) -> None:
    if not header:
        return
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StoreError(
            f"{path} is not a database of conversations; it was left as it is. Move it away to "
            "start with a new one."
        )
    (version,) = struct.unpack_from(">i", header, _USER_VERSION_AT)
    (application,) = struct.unpack_from(">i", header, _APPLICATION_ID_AT)
    if application == APPLICATION_ID:
        _check_version(path, version)


def _check_version(path: Path, version: int) -> None:
    if not 0 <= version <= SCHEMA_VERSION:
        raise StoreError(
            f"The database {path} has version {version}, this program knows versions up to "
            f"{SCHEMA_VERSION}; it was left as it is. Install a newer gemma-chat."
        )


def _keep_copy(path: Path, connection: sqlite3.Connection) -> None:
    """Before an older database is changed: a copy of it as it is."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if 0 < version < SCHEMA_VERSION:
        copy = copy_before_migration(connection, path, version)
        _log.info("the database had version %d; a copy of it is kept as %s", version, copy)


def _check_contents(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse what the header alone does not show, the write-ahead log being taken into account."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreError(
            f"{path} is the database of another program; it was left as it is. Move it away to "
            "start with a new one."
        )
    _check_version(path, version)
    if path.stat().st_size <= _QUICK_CHECK_BYTES:
        verdict = _verdict(connection)
        if verdict != "ok":
            raise _damaged(path, verdict)


def _verdict(connection: sqlite3.Connection) -> str:
    """What SQLite says of the pages: "ok", or the first fault."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return str(verdict).strip()


def _damaged(path: Path, reason: object) -> DamagedDatabaseError:
    return DamagedDatabaseError(
        f"The database {path} is damaged ({reason}); it was left as it is. End every gemma-chat "
        "that uses it and start again: what can be read is taken over, the damaged file is kept."
    )
