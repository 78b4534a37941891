"""Replies put down while they stream, on a thread and a connection of its own.

A disk may take a third of a second to say that something is safe, and whoever writes a reply must
not wait for that. The transaction itself is short and made without waiting for the disk; the
write-ahead log is brought to the disk afterwards, when nobody is locked out any more. Most of the
checkpoints, which wait for the disk too, fall to this connection as well.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gemma_chat.errors import StoreError
from gemma_chat.store import rows
from gemma_chat.store.database import Database
from gemma_chat.store.records import Aside
from gemma_chat.store.text import storable

BUSY_SECONDS: Final = 5.0
"""How long another connection that writes is waited for."""


def put_down(
    connection: sqlite3.Connection, message: int, turn: int, text: str, asides: Sequence[Aside]
) -> None:
    """Within a transaction, keep a reply of `turn` as it is so far.

    One that is finished, goes on in another turn, or is gone is left as it is.
    """
    connection.execute(
        "UPDATE messages SET text = ?3, asides = ?4 "
        "WHERE id = ?1 AND turn = ?2 AND state IN ('queued', 'streaming')",
        (message, turn, storable(text), rows.asides_json(asides)),
    )


class Scribe:
    """Saves streaming replies one after the other, in the order of the calls."""

    def __init__(self, path: Path) -> None:
        """Write into the database at `path`, which is open; nothing is opened before a save."""
        self._path = path
        self._database: Database | None = None
        self._log: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gemma-chat scribe")

    def save(self, message: int, turn: int, text: str, asides: Sequence[Aside]) -> Future[None]:
        """Keep a reply of `turn` with all its text and asides so far, while it is not finished.

        The future is done when a power cut can take nothing of it back. It raises `StoreError`
        when that failed. A save that comes late, and one that comes twice, does no harm.
        """
        return self._thread.submit(self._save, message, turn, text, asides)

    def close(self) -> None:
        """Finish what was ordered, and close the file; twice is fine."""
        try:
            self._thread.submit(self._close)
        except RuntimeError:
            return
        self._thread.shutdown(wait=True)

    def _save(self, message: int, turn: int, text: str, asides: Sequence[Aside]) -> None:
        database = self._database or self._open()
        with database.writing("soon") as connection:
            put_down(connection, message, turn, text, asides)
        self._bring_to_disk()

    def _open(self) -> Database:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        self._database = Database(connection, self._path)
        return self._database

    def _bring_to_disk(self) -> None:
        try:
            if self._log is None:
                # SQLite locks the database and its shared memory, never the log itself: closing
                # this descriptor takes no lock away.
                self._log = os.open(f"{self._path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            os.fsync(self._log)
        except OSError as error:
            raise StoreError(
                f"The disk did not take what was written to {self._path} ({error.strerror}). "
                "Check that it is not full or broken."
            ) from error

    def _close(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None
        if self._database is not None:
            self._database.close()
            self._database = None
