"""`Store`: conversations and their messages in one SQLite file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, Literal

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store import rows
from gemma_chat.store.attachments import (
    attach,
    bytes_of,
    copy_attachments,
    with_attachments,
)
from gemma_chat.store.attempts import Attempts
from gemma_chat.store.branches import Branches
from gemma_chat.store.database import Database, Durability
from gemma_chat.store.faults import AbsentError, absent_conversation
from gemma_chat.store.interruption import settle_unfinished
from gemma_chat.store.last_model import LastModel
from gemma_chat.store.library import Library
from gemma_chat.store.migrations import migrate
from gemma_chat.store.opening import open_database
from gemma_chat.store.records import (
    Aside,
    Conversation,
    Message,
    NewAttachment,
    Scroll,
    TitleAuthor,
    TurnMetrics,
)
from gemma_chat.store.replacements import Replacements
from gemma_chat.store.scribe import Scribe, put_down
from gemma_chat.store.tabs import Tabs, place_tab, remove_tab
from gemma_chat.store.text import storable
from gemma_chat.terms import FinishedState, MessageRole, MessageState

_IN_MEMORY = ":memory:"
_ONLY: Final = {"shown": "AND shown = 1 ", "all": ""}


class Store:
    """The database of conversations.

    Synchronous, and to be used from the thread that opened it. Every method raises `StoreError`
    when the database cannot be read or written, or when there is no such conversation or message;
    what failed has then changed nothing. Texts may hold anything but lone surrogates, which are
    stored as U+FFFD; the records that are returned hold what was stored.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """Use `Store.open` instead."""
        database = Database(connection, path)
        self._database = database
        self._connection = connection
        self._clock = clock
        self._reading = database.reading
        self._writing = database.writing
        self.library = Library(database, clock)
        """All conversations together: listed, searched, put in, deleted."""
        self.attempts = Attempts(database, clock)
        """What is under way and may end the process."""
        self.last_model = LastModel(database)
        """Which model the host has in memory."""
        self.together = database.together
        """A context in which all that is written is one transaction."""
        self.sync = database.sync
        """Waits until what was written `soon` is on disk; from any thread."""
        self.tabs = Tabs(database, clock)
        """The tab bar: order, pins, marks and groups."""
        self._branches = Branches(connection, self._reading, self._writing)
        self.replacements = Replacements(connection, self._reading, self._writing, clock)
        """What the model is given in the place of the oldest messages."""
        self._scribe: Scribe | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        busy_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> Store:
        """Open the database at `path`, creating the file (0600) but not its folder.

        Another process that writes is waited for up to `busy_seconds`. A file that is not a
        database of ours, is damaged, or is of a newer version is refused and left untouched.
        A process opens a file once: POSIX drops all its locks on a file when it closes any of
        its descriptors. An older database is copied before it is brought up to date.
        """
        return cls(open_database(path, busy_seconds=busy_seconds), path, clock)

    @classmethod
    def in_memory(cls) -> Store:
        """A store that is gone when it is closed: for a single question."""
        connection = sqlite3.connect(_IN_MEMORY, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
        return cls(connection, Path(_IN_MEMORY))

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    @property
    def branches(self) -> Branches:
        """The branches of the conversations."""
        return self._branches

    def close(self) -> None:
        """Close the file; twice is fine."""
        if self._scribe is not None:
            self._scribe.close()
        self._database.close()

    # ------------------------------------------------------------ conversations

    def conversations(self, *, open_only: bool = False) -> tuple[Conversation, ...]:
        """The open conversations in the order of their tabs, then the closed ones, newest first."""
        where = "WHERE position IS NOT NULL" if open_only else ""
        with self._reading():
            found = self._connection.execute(
                f"{rows.SELECT_CONVERSATION} {where} "
                "ORDER BY position IS NULL, position, updated DESC, id DESC"
            ).fetchall()
        return tuple(rows.conversation(row) for row in found)

    def conversation(self, session: int) -> Conversation:
        """One conversation."""
        with self._reading():
            row = self._connection.execute(
                f"{rows.SELECT_CONVERSATION} WHERE id = ?", (session,)
            ).fetchone()
        if row is None:
            raise absent_conversation(session)
        return rows.conversation(row)

    def create(
        self,
        settings: SessionSettings,
        *,
        title: str = "",
        title_by: TitleAuthor = "nobody",
        position: int | None = None,
        group: str = "",
    ) -> Conversation:
        """Start a conversation in a tab of `group`, at `position` or behind its last one."""
        now = self._clock()
        with self._writing():
            session = self._connection.execute(
                "INSERT INTO conversations (title, title_by, settings, tab_group, created, "
                "updated) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    storable(title),
                    title_by,
                    rows.settings_json(settings),
                    storable(group),
                    now,
                    now,
                ),
            ).lastrowid
            assert session is not None
            place_tab(self._connection, session, position)
        return self.conversation(session)

    def rename(self, session: int, title: str, *, by: TitleAuthor) -> None:
        """Set the title and who chose it."""
        self._change(session, "title = ?, title_by = ?", storable(title), by)

    def set_settings(self, session: int, settings: SessionSettings) -> None:
        """Keep a tab's settings."""
        self._change(session, "settings = ?", rows.settings_json(settings))

    def set_draft(self, session: int, text: str) -> None:
        """Keep what stands in a tab's input box."""
        self._change(session, "draft = ?", storable(text), durability="soon")

    def set_scroll(self, session: int, scroll: Scroll) -> None:
        """Keep where the reader of a tab stands."""
        self._change(
            session,
            "scroll_follow = ?, scroll_message = ?, scroll_row = ?",
            scroll.follow,
            scroll.message,
            scroll.row,
            durability="soon",
        )

    def set_unread(self, session: int, *, unread: bool) -> None:
        """Keep whether a tab has something that was not looked at."""
        self._change(session, "unread = ?", unread, durability="soon")

    def set_failed(self, session: int, *, failed: bool) -> None:
        """Keep whether a tab's last turn failed."""
        self._change(session, "failed = ?", failed, durability="soon")

    def set_context_used(self, session: int, tokens: int) -> None:
        """Keep how many tokens of its context a session uses."""
        self._change(session, "context_used = ?", tokens, durability="soon")

    def set_summary(self, session: int, text: str, *, up_to: int) -> None:
        """Keep the running summary, which covers the messages up to number `up_to`."""
        self._change(
            session,
            "summary_text = ?, summary_up_to = ?, summary_updated = ?",
            storable(text),
            up_to,
            self._clock(),
        )

    # ------------------------------------------------------------ tabs

    def open_at(self, session: int, position: int | None = None) -> None:
        """Show a conversation in a tab at `position`, or behind the last one of its group."""
        with self._writing():
            place_tab(self._connection, session, position)

    def close_tab(self, session: int) -> None:
        """Take a conversation out of the tab bar; it stays in the store."""
        with self._writing():
            remove_tab(self._connection, session)

    # ------------------------------------------------------------ messages

    def messages(
        self,
        session: int,
        *,
        before: int = 0,
        limit: int | None = None,
        branches: Literal["shown", "all"] = "shown",
    ) -> tuple[Message, ...]:
        """The newest `limit` messages (all, when None) older than number `before`, oldest first.

        `before` 0 means from the end. `branches` tells which of them are looked at.
        """
        with self._reading():
            found = self._connection.execute(
                f"{rows.SELECT_MESSAGE} WHERE conversation = ?1 {_ONLY[branches]}"
                "AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?3",
                (session, before, -1 if limit is None else max(0, limit)),
            ).fetchall()
            messages = [rows.message(row) for row in reversed(found)]
            return with_attachments(self._connection, messages)

    def message(self, message: int) -> Message:
        """One message."""
        with self._reading():
            row = self._connection.execute(
                f"{rows.SELECT_MESSAGE} WHERE id = ?", (message,)
            ).fetchone()
            if row is None:
                raise AbsentError(f"There is no message {message}.")
            return with_attachments(self._connection, [rows.message(row)])[0]

    def add_message(
        self,
        session: int,
        *,
        turn: int,
        role: MessageRole,
        text: str = "",
        state: MessageState,
        error: str = "",
        parent: int | None = None,
        attachments: Sequence[NewAttachment] = (),
        attachments_of: int | None = None,
    ) -> Message:
        """Put a message at the end of a conversation; on disk when this returns.

        It has the files `attachments`, and those that the message `attachments_of` has.

        With `parent` (0 for a first message) it is put behind that message, and what followed it
        until now is a branch that is kept and no longer shown.
        """
        now = self._clock()
        with self._writing():
            self._touch(
                "UPDATE conversations SET updated = ?2, turn = max(turn, ?3) WHERE id = ?1",
                session,
                now,
                turn,
            )
            above = self._branches.make_room(session, parent)
            message = self._connection.execute(
                "INSERT INTO messages "
                "(conversation, parent, turn, role, text, state, error, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (session, above, turn, role, storable(text), state, storable(error), now),
            ).lastrowid
            assert message is not None
            if attachments_of is not None:
                copy_attachments(self._connection, attachments_of, message)
            attach(self._connection, message, attachments)
        return self.message(message)

    def file_of(self, digest: str) -> bytes:
        """The bytes of an attachment."""
        with self._reading():
            data = bytes_of(self._connection, digest)
        if data is None:
            raise StoreError("There is no such attachment; its message may have been deleted.")
        return data

    def save_reply(
        self, message: int, turn: int, text: str, asides: Sequence[Aside]
    ) -> Future[None]:
        """Keep a streaming reply as it is so far, without waiting for it; see `Scribe.save`."""
        if str(self.path) == _IN_MEMORY:
            done: Future[None] = Future()
            with self._writing("soon") as connection:
                put_down(connection, message, turn, text, asides)
            done.set_result(None)
            return done
        if self._scribe is None:
            self._scribe = Scribe(self.path)
            # The scribe's own limit is a quarter of this, so that it is the one that waits.
            self._connection.execute("PRAGMA wal_autocheckpoint = 4000")
        return self._scribe.save(message, turn, text, asides)

    def update_message(
        self,
        message: int,
        *,
        text: str | None = None,
        state: MessageState | None = None,
        error: str | None = None,
        metrics: TurnMetrics | None = None,
        asides: Sequence[Aside] | None = None,
        durability: Durability = "on_disk",
        model: str | None = None,
    ) -> Message:
        """Change what is given and leave the rest."""
        with self._writing(durability):
            self._touch_message(
                "UPDATE messages SET text = coalesce(?2, text), state = coalesce(?3, state), "
                "error = coalesce(?4, error), metrics = coalesce(?5, metrics), "
                "asides = coalesce(?6, asides), model = coalesce(?7, model) WHERE id = ?1",
                message,
                None if text is None else storable(text),
                state,
                None if error is None else storable(error),
                rows.metrics_json(metrics),
                None if asides is None else rows.asides_json(asides),
                None if model is None else storable(model),
            )
        return self.message(message)

    def finish_message(
        self,
        message: int,
        *,
        state: FinishedState,
        text: str | None = None,
        error: str = "",
        metrics: TurnMetrics | None = None,
        asides: Sequence[Aside] | None = None,
        durability: Durability = "on_disk",
    ) -> Message:
        """Bring a message into its last state; with its whole text it is on disk on return."""
        return self.update_message(
            message,
            text=text,
            state=state,
            error=error,
            metrics=metrics,
            asides=asides,
            durability=durability,
        )

    def remove_message(self, message: int) -> None:
        """Take a message out of its conversation; what follows it takes its place."""
        with self._writing():
            self._branches.take_out(message)

    def mark_interrupted(self) -> tuple[Message, ...]:
        """At start: settle what the death of an earlier process left unfinished.

        A reply that was streaming is `interrupted`, with the text it has; one without any text is
        removed. A question that waited, or whose reply had no text yet, is `interrupted`: it is
        kept, and not sent again by itself; unless it has an earlier reply, which is shown then.
        Returns the messages that are interrupted now.
        """
        with self._writing():
            settled = settle_unfinished(self._connection, self._branches)
        found = tuple(map(self.message, settled))
        return tuple(message for message in found if message.state == "interrupted")

    # ------------------------------------------------------------ transactions

    def _change(
        self, session: int, assignments: str, *values: object, durability: Durability = "on_disk"
    ) -> None:
        with self._writing(durability):
            changed = self._connection.execute(
                f"UPDATE conversations SET {assignments} WHERE id = ?", (*values, session)
            )
            if not changed.rowcount:
                raise absent_conversation(session)

    def _touch(self, statement: str, session: int, *values: object) -> None:
        if not self._connection.execute(statement, (session, *values)).rowcount:
            raise absent_conversation(session)

    def _touch_message(self, statement: str, message: int, *values: object) -> None:
        if not self._connection.execute(statement, (message, *values)).rowcount:
            raise AbsentError(f"There is no message {message}.")
