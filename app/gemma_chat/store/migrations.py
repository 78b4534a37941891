"""The schema, as numbered steps that are only ever added to.

`PRAGMA user_version` holds how many of them a database has seen. A released step is never edited:
what it got wrong, a later one puts right.
"""

from __future__ import annotations

import sqlite3

from gemma_chat.store.attachments import SCHEMA as ATTACHMENTS
from gemma_chat.store.attempts import SCHEMA as ATTEMPTS
from gemma_chat.store.last_model import SCHEMA as LAST_MODEL
from gemma_chat.store.replacements import SCHEMA as REPLACEMENTS
from gemma_chat.store.search_schema import SEARCH_INDEX
from gemma_chat.store.tabs import PAIR_SCHEMA
from gemma_chat.store.tabs import SCHEMA as TABS

APPLICATION_ID = 0x67436831
"""Marks the file as ours ("gCh1"), so that the database of another program is never taken over."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL DEFAULT '',
            title_by TEXT NOT NULL DEFAULT 'nobody',
            settings TEXT NOT NULL,
            position INTEGER,
            draft TEXT NOT NULL DEFAULT '',
            scroll_follow INTEGER NOT NULL DEFAULT 1,
            scroll_message INTEGER NOT NULL DEFAULT 0,
            scroll_row INTEGER NOT NULL DEFAULT 0,
            unread INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            turn INTEGER NOT NULL DEFAULT 0,
            context_used INTEGER NOT NULL DEFAULT 0,
            summary_text TEXT NOT NULL DEFAULT '',
            summary_up_to INTEGER NOT NULL DEFAULT 0,
            summary_updated REAL NOT NULL DEFAULT 0,
            created REAL NOT NULL,
            updated REAL NOT NULL
        )
        """,
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            turn INTEGER NOT NULL,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            state TEXT NOT NULL,
            error TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            metrics TEXT
        )
        """,
        "CREATE INDEX messages_of_conversation ON messages (conversation, id)",
        "CREATE INDEX unfinished_messages ON messages (state) "
        "WHERE state IN ('queued', 'streaming')",
    ),
    (
        # Thoughts and tool calls of a reply, as JSON; see `records.Aside`.
        "ALTER TABLE messages ADD COLUMN asides TEXT NOT NULL DEFAULT '[]'",
    ),
    (
        "ALTER TABLE messages ADD COLUMN parent INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE messages ADD COLUMN chosen INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE messages ADD COLUMN shown INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE messages ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
        # Until now every conversation was one line in the order of its numbers.
        """
        UPDATE messages SET parent = coalesce(
            (SELECT max(older.id) FROM messages AS older
             WHERE older.conversation = messages.conversation AND older.id < messages.id), 0)
        """,
        "CREATE INDEX children_of_messages ON messages (conversation, parent, id)",
        "CREATE INDEX shown_messages ON messages (conversation, id) WHERE shown = 1",
    ),
    ATTACHMENTS,
    SEARCH_INDEX,
    REPLACEMENTS,
    ATTEMPTS,
    # Which model answered; empty for questions and for what was said before this was kept.
    ("ALTER TABLE messages ADD COLUMN model TEXT NOT NULL DEFAULT ''",),
    TABS,
    PAIR_SCHEMA + LAST_MODEL,
    # Of a single question, whose asker has it deleted; the next start deletes what was left.
    ("ALTER TABLE conversations ADD COLUMN passing INTEGER NOT NULL DEFAULT 0",),
)

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database up to `SCHEMA_VERSION`, all steps or none.

    The connection must be in autocommit mode; its version must not be newer than ours. Whoever
    migrates a database with something in it keeps a copy of it first, see `copies`.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in MIGRATIONS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
