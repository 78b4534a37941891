"""What the model is given in the place of the oldest messages, as it was decided.

One row for each decision. It holds on every branch that goes through the message `after`, which
was the newest one when it was decided, until a later one holds there too. So each branch has its
own, going back finds the one that held then, and a restarted program makes the same prompts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from gemma_chat.store.records import Replacement
from gemma_chat.store.text import storable

SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE replacements (
        conversation INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        after INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        up_to INTEGER NOT NULL,
        covered_up_to INTEGER NOT NULL,
        text TEXT NOT NULL,
        created REAL NOT NULL,
        PRIMARY KEY (conversation, after)
    )
    """,
    "CREATE INDEX replacements_after ON replacements (after)",
)

_SELECT = """
    SELECT replacements.after, up_to, covered_up_to, replacements.text, replacements.created
    FROM replacements JOIN messages ON messages.id = replacements.after
    WHERE replacements.conversation = ? AND messages.shown = 1 ORDER BY replacements.after
"""

_REPLACED = """
    SELECT count(*) FROM messages AS one
    WHERE conversation = ?1 AND shown = 1 AND id <= ?2 AND pinned = 0
    AND (role = 'assistant' OR state = 'complete')
    AND NOT EXISTS (
        SELECT 1 FROM messages AS other
        WHERE other.conversation = ?1 AND other.shown = 1 AND other.pinned = 1
        AND (other.id = one.parent AND one.role = 'assistant'
            OR other.parent = one.id AND other.role = 'assistant'))
"""


class Replacements:
    """The decisions within the store's database; see `Store.replacements`.

    Every method is one transaction and raises `StoreError` as the store's own methods do.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        reading: Callable[[], AbstractContextManager[object]],
        writing: Callable[[], AbstractContextManager[object]],
        clock: Callable[[], float],
    ) -> None:
        """`reading`, `writing` and `clock` are the store's."""
        self._connection = connection
        self._reading = reading
        self._writing = writing
        self._clock = clock

    def of(self, session: int) -> tuple[Replacement, ...]:
        """What was decided on the branch that is shown, oldest first; the last one holds."""
        with self._reading():
            found = self._connection.execute(_SELECT, (session,)).fetchall()
        return tuple(
            Replacement(after=after, up_to=up_to, covered_up_to=covered, text=text, created=created)
            for after, up_to, covered, text, created in found
        )

    def count(self, session: int, up_to: int) -> int:
        """How many shown messages are not in the prompt when those up to `up_to` are replaced.

        What is pinned stays in it, with its question or reply.
        """
        with self._reading():
            (count,) = self._connection.execute(_REPLACED, (session, up_to)).fetchone()
        number: int = count
        return number

    def keep(self, session: int, *, after: int, up_to: int, covered_up_to: int, text: str) -> None:
        """Keep a decision; one that was made at the same message is replaced."""
        with self._writing():
            self._connection.execute(
                "INSERT OR REPLACE INTO replacements VALUES (?, ?, ?, ?, ?, ?)",
                (session, after, up_to, covered_up_to, storable(text), self._clock()),
            )

    def forget(self, session: int, since: int) -> None:
        """Forget decisions about message number `since` and later ones, on every branch.

        For when such a message is deleted: a summary must not go on telling of it.
        """
        with self._writing():
            self._connection.execute(
                "DELETE FROM replacements WHERE conversation = ?1 "
                "AND (up_to >= ?2 OR covered_up_to >= ?2)",
                (session, since),
            )


def copy_replacements(
    connection: sqlite3.Connection, source: int, target: int, copies: Iterable[tuple[int, int]]
) -> None:
    """Give a fork the decisions of what it was forked from. Within a transaction.

    `copies` are the messages that were copied, and what they became.
    """
    number_of = dict(copies)
    for after, up_to, covered, text, created in connection.execute(_SELECT, (source,)).fetchall():
        if after in number_of and up_to in number_of:
            connection.execute(
                "INSERT INTO replacements VALUES (?, ?, ?, ?, ?, ?)",
                (
                    target,
                    number_of[after],
                    number_of[up_to],
                    number_of.get(covered, number_of[up_to]) if covered else 0,
                    text,
                    created,
                ),
            )


def copy_summary(
    connection: sqlite3.Connection, source: int, target: int, copies: Iterable[tuple[int, int]]
) -> None:
    """Give a fork the running summary, if it tells of nothing that was not copied."""
    (up_to,) = connection.execute(
        "SELECT summary_up_to FROM conversations WHERE id = ?", (source,)
    ).fetchone()
    copy = dict(copies).get(up_to)
    if copy is not None:
        connection.execute(
            "UPDATE conversations SET (summary_text, summary_updated, summary_up_to) = "
            "(SELECT summary_text, summary_updated, ?3 FROM conversations WHERE id = ?1) "
            "WHERE id = ?2",
            (source, target, copy),
        )
