"""`Library`: all conversations together, whether a tab shows them or not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store import rows
from gemma_chat.store.database import Database
from gemma_chat.store.records import Listed, NewMessage, NewTab
from gemma_chat.store.search import SNIPPET_TOKENS, Hit, Marks, match_expression
from gemma_chat.store.tabs import close_gaps
from gemma_chat.store.text import storable
from gemma_chat.terms import Openness

_PREVIEW_CHARACTERS: Final = 200
_UNARRANGED: Final = NewTab()
_WHERE: Final[dict[Openness, str]] = {
    "all": "TRUE",
    "open": "position IS NOT NULL",
    "closed": "position IS NULL",
}
MOST_MATCHES: Final = 20_000
"""Of so many messages, the newest that match, the conversations are listed. Half a word that is
found in every message would otherwise hold the host up while it is typed."""
_SAID: Final = (
    "id IN (SELECT conversation FROM messages WHERE id IN (SELECT rowid FROM message_index "
    "WHERE message_index MATCH ?6 ORDER BY rowid DESC LIMIT ?7))"
)
# The hits are limited before anything is looked up about them.
_SEARCH: Final = """
    SELECT found.id, conversation, title, role, messages.created, snippet FROM (
        SELECT rowid AS id, snippet(message_index, 0, ?2, ?3, '…', ?4) AS snippet
        FROM message_index WHERE message_index MATCH ?1 AND (?5 = 0 OR rowid < ?5)
        ORDER BY rowid DESC LIMIT ?6
    ) AS found
    JOIN messages ON messages.id = found.id
    JOIN conversations ON conversations.id = messages.conversation
    ORDER BY found.id DESC
"""


class Library:
    """Reached as `Store.library`, with which it shares the file. Raises `StoreError`."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        # SQLite folds the case of ASCII only.
        database.connection.create_function("folded", 1, str.casefold, deterministic=True)

    def page(
        self,
        which: Openness = "all",
        *,
        containing: str = "",
        words: str = "",
        offset: int = 0,
        limit: int = 100,
    ) -> tuple[Listed, ...]:
        """`limit` conversations after the first `offset`, the most recently used first.

        `containing` narrows them to those whose title holds it, in any case; `words` to those
        whose title holds them or that have a message which `search` finds with them.
        """
        expression = match_expression(storable(words))
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT id, title, title_by, position IS NOT NULL, created, updated, "
                "(SELECT count(*) FROM messages "
                "WHERE conversation = conversations.id AND shown = 1), "
                "coalesce((SELECT substr(text, 1, ?4) FROM messages "
                "WHERE conversation = conversations.id AND shown = 1 AND text != '' "
                "ORDER BY id DESC LIMIT 1), '') "
                f"FROM conversations WHERE {_WHERE[which]} AND instr(folded(title), ?1) "
                f"AND (?5 = '' OR instr(folded(title), ?5) OR {_SAID if expression else 'FALSE'}) "
                "ORDER BY updated DESC, id DESC LIMIT ?3 OFFSET ?2",
                (
                    storable(containing).casefold(),
                    offset,
                    max(0, limit),
                    _PREVIEW_CHARACTERS,
                    storable(words).strip().casefold(),
                    *([expression, MOST_MATCHES] if expression else []),
                ),
            ).fetchall()
        return tuple(
            Listed(
                session=session,
                title=title,
                title_by=title_by,
                open=bool(is_open),
                created=created,
                updated=updated,
                message_count=count,
                preview=preview,
            )
            for session, title, title_by, is_open, created, updated, count, preview in found
        )

    def search(
        self, query: str, *, session: int = 0, role: str = "", before: int = 0, limit: int = 50
    ) -> tuple[Hit, ...]:
        """Finished messages that hold all words of `query`, the newest first.

        The last word stands for all that begin with it; words within quotation marks must follow
        each other. `session` and `role` narrow the search; `before` goes on with messages older
        than that number. A query without a word finds nothing.
        """
        expression = match_expression(storable(query), session=session, role=role)
        if not expression:
            return ()
        marks = Marks()
        values = (expression, marks.opening, marks.closing, SNIPPET_TOKENS, before, max(0, limit))
        try:
            with self._database.reading() as connection:
                found = connection.execute(_SEARCH, values).fetchall()
        except StoreError as error:
            if not _only_index_damaged(error):
                raise
            with self._database.writing() as connection:
                connection.execute("INSERT INTO message_index (message_index) VALUES ('rebuild')")
                found = connection.execute(_SEARCH, values).fetchall()
        return tuple(_hit(row, marks) for row in found)

    def add(
        self,
        title: str,
        settings: SessionSettings,
        messages: Iterable[NewMessage],
        *,
        created: float | None = None,
        tab: NewTab = _UNARRANGED,
        passing: bool = False,
    ) -> int:
        """Put a whole conversation in, closed, all of it or nothing; returns its number.

        One in `passing` is for its asker alone, who has it deleted: see `forget_passing`.
        """
        now = self._clock()
        with self._database.writing() as connection:
            session = connection.execute(
                "INSERT INTO conversations (title, title_by, settings, created, updated, "
                "tab_group, mark, pinned, passing) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    storable(title),
                    "person" if title else "nobody",
                    rows.settings_json(settings),
                    now if created is None else created,
                    now,
                    storable(tab.group),
                    tab.mark,
                    tab.pinned,
                    passing,
                ),
            ).lastrowid
            assert session is not None
            turn = _add_messages(connection, session, messages, now)
            connection.execute("UPDATE conversations SET turn = ? WHERE id = ?", (turn, session))
        return session

    def delete(self, sessions: Sequence[int]) -> None:
        """Delete these conversations with all their messages: all of them, or none."""
        with self._database.writing() as connection:
            for session in dict.fromkeys(sessions):
                gone = connection.execute("DELETE FROM conversations WHERE id = ?", (session,))
                if not gone.rowcount:
                    raise StoreError(f"There is no conversation {session}; nothing was deleted.")
            close_gaps(connection)

    def forget_passing(self) -> int:
        """Delete what was asked in passing; returns how many conversations that were.

        For a program that begins: whoever asked them was told then what there was of the reply.
        """
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM conversations WHERE passing = 1").rowcount


def _add_messages(
    connection: sqlite3.Connection, session: int, messages: Iterable[NewMessage], now: float
) -> int:
    """Put the messages into an empty conversation; returns the number of its newest turn.

    A reply belongs to the turn of what it follows, unless another reply does already.
    """
    newest = 0
    numbers, turns, shown = [0], [0], [True]
    answered = {0}
    for place, message in enumerate(messages, start=1):
        parent = place - 1 if message.parent is None else message.parent
        if message.role == "user" or parent in answered:
            newest += 1
            turns.append(newest)
        else:
            turns.append(turns[parent])
        if message.role == "assistant":
            answered.add(parent)
        shown.append(message.chosen and shown[parent])
        number = connection.execute(
            "INSERT INTO messages (conversation, parent, turn, role, text, state, created, model, "
            "pinned, chosen, shown, asides) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                session,
                numbers[parent],
                turns[place],
                message.role,
                storable(message.text),
                message.state,
                now if message.created is None else message.created,
                storable(message.model),
                message.pinned,
                message.chosen,
                shown[place],
                rows.asides_json(message.asides),
            ),
        ).lastrowid
        assert number is not None
        numbers.append(number)
    return newest


def _only_index_damaged(error: StoreError) -> bool:
    """Whether the index does not fit the messages, which themselves are sound."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_CORRUPT_VTAB


def _hit(row: tuple[int, int, str, str, float, str], marks: Marks) -> Hit:
    message, session, title, role, created, marked = row
    snippet, ranges = marks.parse(marked)
    return Hit(
        message=message,
        session=session,
        title=title,
        role=role,
        created=created,
        snippet=snippet,
        marks=ranges,
    )
