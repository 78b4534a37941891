"""Which model the host has in memory: what a host that was killed leaves for the next one.

Only the death of the process has to be survived, so nothing here waits for the disk. A path is
kept as the bytes it has in the file system, which need not be text.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gemma_chat.store.database import Database
from gemma_chat.store.text import storable

SCHEMA: Final = (
    """
    CREATE TABLE last_model (
        only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
        path BLOB NOT NULL,
        server TEXT NOT NULL,
        server_model TEXT NOT NULL
    )
    """,
)


class KnownModel(msgspec.Struct, frozen=True):
    """A model file, or one that a chat server holds."""

    path: bytes = b""
    server: str = ""
    server_model: str = ""


class LastModel:
    """Reached as `Store.last_model`, with which it shares the file. Raises `StoreError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self) -> KnownModel | None:
        """The model that was noted last and not forgotten."""
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT path, server, server_model FROM last_model"
            ).fetchone()
        return None if found is None else KnownModel(*found)

    def note(self, model: KnownModel) -> None:
        """This one is in memory now."""
        with self._database.writing("soon") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO last_model VALUES (1, ?, ?, ?)",
                (model.path, storable(model.server), storable(model.server_model)),
            )

    def forget(self) -> None:
        """The next host has nothing to go on with."""
        with self._database.writing("soon") as connection:
            connection.execute("DELETE FROM last_model")
