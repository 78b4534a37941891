"""One open SQLite connection, and transactions on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from gemma_chat.errors import StoreError
from gemma_chat.store.faults import as_store_errors

Durability = Literal["on_disk", "soon"]
"""`on_disk`: the call returns when a power cut can take nothing back; `soon`: within seconds."""


class Database:
    """What `Store` and `Library` share: the connection, in autocommit mode, and its file."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self._synchronous: Durability | None = None
        self._together = False

    def close(self) -> None:
        """Close the file; twice is fine."""
        with as_store_errors(self.path):
            self.connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; errors are sentences about the file."""
        with as_store_errors(self.path):
            yield self.connection

    @contextmanager
    def writing(self, durability: Durability = "on_disk") -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end of the block, undone when it raises.

        Within `together` it is part of that one.
        """
        if self._together:
            with as_store_errors(self.path):
                yield self.connection
            return
        with as_store_errors(self.path):
            if durability != self._synchronous:
                level = "FULL" if durability == "on_disk" else "NORMAL"
                self.connection.execute(f"PRAGMA synchronous = {level}")
                self._synchronous = durability
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back by itself after a full disk or a read error.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def sync(self) -> None:
        """Return when no power cut can take back what was written `soon` until now.

        May be called from any thread. Raises `StoreError`.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            # It is in memory, or all is in the database itself.
            return
        except OSError as error:
            raise StoreError(f"The log {log} cannot be written ({error.strerror}).") from error

    @contextmanager
    def together(self, durability: Durability = "on_disk") -> Iterator[None]:
        """All that is written within the block is one transaction: all of it or nothing.

        A block within another one is part of that, and as durable as that is.
        """
        if self._together:
            yield
            return
        with self.writing(durability):
            self._together = True
            try:
                yield
            finally:
                self._together = False
