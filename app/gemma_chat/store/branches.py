"""Conversations as trees: messages that were asked or answered more than once.

Every message names its parent, and 0 is the parent of a first message. Invariants, each a test:

* among the children of one parent exactly one is `chosen`;
* a message is `shown` when it and all messages above it are chosen, so the shown messages of a
  conversation are one line from a first message to its end;
* a message has a larger number than its parent, so that line is in the order of its numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from gemma_chat.errors import StoreError
from gemma_chat.store import rows
from gemma_chat.store.attachments import copy_attachments
from gemma_chat.store.faults import AbsentError
from gemma_chat.store.records import Message
from gemma_chat.store.replacements import copy_replacements, copy_summary

_PLACE: Final = ("id", "conversation", "parent", "chosen", "shown")
"""The columns that say where a message is; all others say what it is."""


class Branches:
    """The tree of messages within the store's database; see `Store.branches`.

    Every method that changes something is one transaction and raises `StoreError` as the store's
    own methods do.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        reading: Callable[[], AbstractContextManager[object]],
        writing: Callable[[], AbstractContextManager[object]],
    ) -> None:
        """`reading` and `writing` are the store's."""
        self._connection = connection
        self._reading = reading
        self._writing = writing

    # ------------------------------------------------------------ reading

    def end(self, session: int) -> int:
        """The last message of the branch that is shown; 0 in an empty conversation."""
        with self._reading():
            return self._end(session)

    def chosen_below(self, message: int) -> Message | None:
        """The message that follows another one when that is shown."""
        with self._reading():
            session, _ = self._place(message)
            row = self._connection.execute(
                f"{rows.SELECT_MESSAGE} WHERE conversation = ? AND parent = ? AND chosen = 1",
                (session, message),
            ).fetchone()
        return None if row is None else rows.message(row)

    def is_shown(self, session: int, message: int) -> bool:
        """Whether a message stands on the branch that is shown."""
        return self._is("shown", session, message)

    def sibling(self, message: int, branch: int) -> int:
        """The message that is branch number `branch`, from 1, in the place of `message`."""
        with self._reading():
            session, parent = self._place(message)
            row = self._connection.execute(
                "SELECT id FROM messages WHERE conversation = ? AND parent = ? "
                "ORDER BY id LIMIT 1 OFFSET ?",
                (session, parent, max(0, branch - 1)),
            ).fetchone()
        if row is None or branch < 1:
            raise StoreError(
                f"Message {message} has no branch {branch}; it may have been deleted elsewhere."
            )
        number: int = row[0]
        return number

    def following(self, message: int) -> tuple[int, ...]:
        """A message and all that was said after it, on every branch."""
        with self._reading():
            return self._subtree(message)

    # ------------------------------------------------------------ changing

    def show(self, message: int) -> None:
        """Show the branch that begins with `message`, as far down as it was shown before.

        Where another branch further up is shown, this one is as soon as that place is.
        """
        with self._writing():
            self._show(message)

    def pin(self, message: int, *, pinned: bool) -> None:
        """Keep whether a message is pinned."""
        with self._writing():
            changed = self._connection.execute(
                "UPDATE messages SET pinned = ? WHERE id = ?", (pinned, message)
            )
            if not changed.rowcount:
                raise StoreError(f"There is no message {message}.")

    def reopen(self, message: int, *, turn: int) -> None:
        """A finished reply goes on, in a turn of its own."""
        with self._writing():
            session, _ = self._place(message)
            self._connection.execute(
                "UPDATE messages SET turn = ?, state = 'streaming', error = '' WHERE id = ?",
                (turn, message),
            )
            self._connection.execute(
                "UPDATE conversations SET turn = max(turn, ?) WHERE id = ?", (turn, session)
            )

    def remove_following(self, message: int) -> None:
        """Remove a message and all that was said after it, on every branch.

        Where another branch begins in its place, the newest one is shown.
        """
        with self._writing():
            session, parent = self._place(message)
            self._delete(self._subtree(message))
            self.choose_again(session, parent)

    def remove_exchange(self, question: int) -> None:
        """Remove a question with its replies; what follows the shown reply takes their place.

        What follows the other replies to it is removed.
        """
        with self._writing():
            session, parent = self._place(question)
            below = self._connection.execute(
                "SELECT id, role FROM messages WHERE conversation = ? AND parent = ? "
                "AND chosen = 1",
                (session, question),
            ).fetchone()
            if below is not None:
                # A question that was never answered has the next question right below it.
                answered = below[1] == "assistant"
                self._move_children(session, below[0] if answered else question, parent)
            self._delete(self._subtree(question))
            self.choose_again(session, parent)

    def fork(self, source: int, target: int, up_to: int) -> None:
        """Copy the shown messages of one conversation, up to number `up_to`, to an empty one."""
        with self._writing():
            found = self._connection.execute(
                "SELECT id FROM messages WHERE conversation = ? AND shown = 1 AND id <= ? "
                "AND state NOT IN ('queued', 'streaming') ORDER BY id",
                (source, up_to),
            ).fetchall()
            columns = ", ".join(
                name
                for (name,) in self._connection.execute(
                    "SELECT name FROM pragma_table_info('messages')"
                )
                if name not in _PLACE
            )
            parent: int | None = 0
            copies: list[tuple[int, int]] = []
            for (message,) in found:
                parent = self._connection.execute(
                    f"INSERT INTO messages (conversation, parent, {columns}) "
                    f"SELECT ?, ?, {columns} FROM messages WHERE id = ?",
                    (target, parent, message),
                ).lastrowid
                assert parent is not None
                copy_attachments(self._connection, message, parent)
                copies.append((message, parent))
            copy_replacements(self._connection, source, target, copies)
            copy_summary(self._connection, source, target, copies)
            self._connection.execute(
                "UPDATE conversations SET turn = "
                "(SELECT coalesce(max(turn), 0) FROM messages WHERE conversation = ?1) "
                "WHERE id = ?1",
                (target,),
            )

    # ------------------------------------------------------------ within a transaction

    def make_room(self, session: int, parent: int | None) -> int:
        """Hide what stands behind `parent`, the shown end by default, for a new message there.

        Returns the parent. To be called within a transaction of the store.
        """
        if parent is None:
            return self._end(session)
        self._connection.execute(
            "UPDATE messages SET chosen = 0 WHERE conversation = ? AND parent = ?",
            (session, parent),
        )
        self._hide_after(session, parent)
        return parent

    def take_out(self, message: int) -> None:
        """Remove one message; what follows it takes its place. Within a transaction."""
        session, parent = self._place(message)
        self._move_children(session, message, parent)
        self._delete((message,))
        self.choose_again(session, parent)

    def choose_again(self, session: int, parent: int) -> None:
        """Show the chosen child of `parent`, or its newest when none is. Within a transaction."""
        row = self._connection.execute(
            "SELECT id FROM messages WHERE conversation = ? AND parent = ? "
            "ORDER BY chosen DESC, id DESC LIMIT 1",
            (session, parent),
        ).fetchone()
        if row is not None:
            self._show(row[0])

    def _show(self, message: int) -> None:
        session, parent = self._place(message)
        self._choose(session, parent, message)
        if parent and not self._is("shown", session, parent):
            return
        self._hide_after(session, parent)
        self._connection.execute(
            """
            WITH RECURSIVE line (id) AS (
                SELECT ?2
                UNION ALL
                SELECT messages.id FROM line JOIN messages
                ON messages.conversation = ?1 AND messages.parent = line.id AND messages.chosen = 1
            )
            UPDATE messages SET shown = 1 WHERE id IN line
            """,
            (session, message),
        )

    def _choose(self, session: int, parent: int, message: int) -> None:
        self._connection.execute(
            "UPDATE messages SET chosen = (id = ?) WHERE conversation = ? AND parent = ?",
            (message, session, parent),
        )

    def _hide_after(self, session: int, message: int) -> None:
        self._connection.execute(
            "UPDATE messages SET shown = 0 WHERE conversation = ? AND shown = 1 AND id > ?",
            (session, message),
        )

    def _move_children(self, session: int, message: int, parent: int) -> None:
        """Put what follows a chosen message in its place; what follows another one stays hidden."""
        if self._is("chosen", session, message):
            self._connection.execute(
                "UPDATE messages SET chosen = 0 WHERE conversation = ?1 AND parent = ?2 AND EXISTS "
                "(SELECT 1 FROM messages AS below WHERE below.conversation = ?1 "
                "AND below.parent = ?3)",
                (session, parent, message),
            )
        else:
            self._connection.execute(
                "UPDATE messages SET chosen = 0 WHERE conversation = ? AND parent = ?",
                (session, message),
            )
        self._connection.execute(
            "UPDATE messages SET parent = ? WHERE conversation = ? AND parent = ?",
            (parent, session, message),
        )

    def _delete(self, messages: tuple[int, ...]) -> None:
        self._connection.executemany(
            "DELETE FROM messages WHERE id = ?", [(message,) for message in messages]
        )

    def _subtree(self, message: int) -> tuple[int, ...]:
        session, _ = self._place(message)
        found = self._connection.execute(
            """
            WITH RECURSIVE below (id) AS (
                SELECT ?2
                UNION ALL
                SELECT messages.id FROM below JOIN messages
                ON messages.conversation = ?1 AND messages.parent = below.id
            )
            SELECT id FROM below ORDER BY id
            """,
            (session, message),
        )
        return tuple(number for (number,) in found)

    def _end(self, session: int) -> int:
        (end,) = self._connection.execute(
            "SELECT coalesce(max(id), 0) FROM messages WHERE conversation = ? AND shown = 1",
            (session,),
        ).fetchone()
        number: int = end
        return number

    def _place(self, message: int) -> tuple[int, int]:
        """The conversation and the parent of a message."""
        row = self._connection.execute(
            "SELECT conversation, parent FROM messages WHERE id = ?", (message,)
        ).fetchone()
        if row is None:
            raise AbsentError(f"There is no message {message}.")
        session, parent = row
        return session, parent

    def _is(self, what: str, session: int, message: int) -> bool:
        row = self._connection.execute(
            f"SELECT {what} FROM messages WHERE id = ? AND conversation = ?", (message, session)
        ).fetchone()
        return row is not None and bool(row[0])
