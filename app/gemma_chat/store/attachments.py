"""The files of messages: their bytes once, however often they were attached.

`media` has the bytes by their digest, `attachments` says which message has which of them under
which name. The database itself drops bytes with the last attachment that names them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

import msgspec

from gemma_chat.store.records import Attachment, Message, NewAttachment
from gemma_chat.store.text import storable

SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE media (
        digest TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        format TEXT NOT NULL,
        size INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        seconds REAL NOT NULL,
        data BLOB NOT NULL
    )
    """,
    """
    CREATE TABLE attachments (
        message INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        digest TEXT NOT NULL REFERENCES media (digest),
        name TEXT NOT NULL,
        PRIMARY KEY (message, place)
    )
    """,
    "CREATE INDEX attachments_of_media ON attachments (digest)",
    """
    CREATE TRIGGER media_go_with_their_last_attachment AFTER DELETE ON attachments
    WHEN NOT EXISTS (SELECT 1 FROM attachments WHERE digest = OLD.digest)
    BEGIN
        DELETE FROM media WHERE digest = OLD.digest;
    END
    """,
)

_SELECT = """
    SELECT message, name, digest, kind, format, size, width, height, seconds
    FROM attachments JOIN media USING (digest)
    WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, place
"""


def attach(connection: sqlite3.Connection, message: int, files: Sequence[NewAttachment]) -> None:
    """Give a message files, behind those it has. Within a transaction."""
    for file in files:
        facts = file.facts
        connection.execute(
            "INSERT OR IGNORE INTO media "
            "(digest, kind, format, size, width, height, seconds, data) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                facts.digest,
                facts.kind,
                facts.format,
                facts.size,
                facts.width,
                facts.height,
                facts.seconds,
                file.data,
            ),
        )
        connection.execute(
            "INSERT INTO attachments (message, place, digest, name) "
            "SELECT ?1, count(*), ?2, ?3 FROM attachments WHERE message = ?1",
            (message, facts.digest, storable(facts.name)),
        )


def copy_attachments(connection: sqlite3.Connection, source: int, target: int) -> None:
    """Give a message the files of another one. Within a transaction."""
    connection.execute(
        "INSERT INTO attachments (message, place, digest, name) "
        "SELECT ?, place, digest, name FROM attachments WHERE message = ?",
        (target, source),
    )


def with_attachments(
    connection: sqlite3.Connection, messages: Sequence[Message]
) -> tuple[Message, ...]:
    """`messages`, each with what is attached to it."""
    numbers = [message.message for message in messages if message.role == "user"]
    if not numbers:
        return tuple(messages)
    found: dict[int, list[Attachment]] = {}
    for message, *columns in connection.execute(_SELECT, (json.dumps(numbers),)):
        found.setdefault(message, []).append(Attachment(*columns))
    return tuple(
        msgspec.structs.replace(message, attachments=tuple(found[message.message]))
        if message.message in found
        else message
        for message in messages
    )


def bytes_of(connection: sqlite3.Connection, digest: str) -> bytes | None:
    """The bytes of a file; `None` when no message has it."""
    row = connection.execute("SELECT data FROM media WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else bytes(row[0])
