"""The tab bar in the store: which conversations stand in it, in which order and group.

Invariant, whatever is opened, closed or moved: the tabs of a group stand beside each other, the
pinned ones first. A group is its name; it exists as long as a conversation names it, and the tabs
without one are a group too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gemma_chat.errors import StoreError
from gemma_chat.store.database import Database
from gemma_chat.store.faults import absent_conversation
from gemma_chat.store.records import TabPair
from gemma_chat.store.text import storable
from gemma_chat.terms import TabMark

SCHEMA: Final = (
    "ALTER TABLE conversations ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversations ADD COLUMN mark TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE conversations ADD COLUMN tab_group TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE conversations ADD COLUMN looked_at REAL NOT NULL DEFAULT 0",
)
"""The step of the migrations that made this."""

PAIR_SCHEMA: Final = (
    """
    CREATE TABLE tab_pair (
        only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
        left_one INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        right_one INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        to_both INTEGER NOT NULL
    )
    """,
)
"""The step that made the two tabs side by side."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A tab, and what its place depends on."""

    session: int
    group: str
    pinned: bool


def arranged(tabs: Sequence[Standing]) -> list[Standing]:
    """These tabs so that the invariant holds: groups in the order in which they are met."""
    groups = {name: place for place, name in enumerate(dict.fromkeys(tab.group for tab in tabs))}
    return sorted(tabs, key=lambda tab: (groups[tab.group], not tab.pinned))


def moved(tabs: Sequence[Standing], session: int, place: int) -> list[Standing]:
    """The arranged `tabs` with one of them at `place`, from 0, or as near as its group allows."""
    tab = next(tab for tab in tabs if tab.session == session)
    beside = [
        number
        for number, other in enumerate(tabs)
        if (other.group, other.pinned) == (tab.group, tab.pinned)
    ]
    place = max(beside[0], min(place, beside[-1]))
    others = [other for other in tabs if other is not tab]
    return [*others[:place], tab, *others[place:]]


def place_tab(connection: sqlite3.Connection, session: int, position: int | None) -> None:
    """Show a conversation at `position`, or behind the last tab of its group; in a transaction."""
    others = [tab for tab in _standing(connection) if tab.session != session]
    place = len(others) if position is None else max(0, min(position, len(others)))
    _touch(connection, "position = 0", session)
    tab = next(tab for tab in _standing(connection) if tab.session == session)
    _number(connection, [*others[:place], tab, *others[place:]])


def remove_tab(connection: sqlite3.Connection, session: int) -> None:
    """Take a conversation out of the tab bar; in a transaction."""
    _touch(connection, "position = NULL", session)
    connection.execute("DELETE FROM tab_pair WHERE ? IN (left_one, right_one)", (session,))
    close_gaps(connection)


def close_gaps(connection: sqlite3.Connection) -> None:
    """Number the tabs anew after some have gone; in a transaction."""
    _number(connection, _standing(connection))


class Tabs:
    """Reached as `Store.tabs`, with which it shares the file.

    Every change is one transaction. Raises `StoreError`, also about a conversation that does not
    exist; closed ones keep their pin, mark and group.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def order(self) -> tuple[int, ...]:
        """The conversations in the tab bar, from the left."""
        with self._database.reading() as connection:
            return tuple(tab.session for tab in _standing(connection))

    def move(self, session: int, place: int) -> None:
        """Put a tab at `place` of the bar, from 0, or as near as its group and pin allow."""
        with self._database.writing() as connection:
            tabs = _standing(connection)
            if all(tab.session != session for tab in tabs):
                raise StoreError(f"There is no open tab {session}.")
            _number(connection, moved(tabs, session, place))

    def pin(self, session: int, *, pinned: bool) -> None:
        """Pin a tab, so that it stands first in its group, or take the pin away."""
        with self._database.writing() as connection:
            _touch(connection, "pinned = ?", session, pinned)
            close_gaps(connection)

    def set_mark(self, session: int, mark: TabMark) -> None:
        """Give a tab a mark; an empty one takes it away."""
        with self._database.writing() as connection:
            _touch(connection, "mark = ?", session, mark)

    def put_into_group(self, sessions: Sequence[int], group: str) -> None:
        """Put tabs into a group, behind those that are there: all of them or none."""
        with self._database.writing() as connection:
            for session in dict.fromkeys(sessions):
                _touch(connection, "tab_group = ?", session, storable(group))
            here = [tab for tab in _standing(connection) if tab.session not in sessions]
            new = [tab for tab in _standing(connection) if tab.session in sessions]
            _number(connection, [*here, *new])

    def rename_group(self, group: str, name: str) -> None:
        """Give a group another name; that of another group joins them, an empty one ends it."""
        with self._database.writing() as connection:
            found = connection.execute(
                "UPDATE conversations SET tab_group = ? WHERE tab_group = ?",
                (storable(name), storable(group)),
            )
            if not found.rowcount:
                raise StoreError(f"There is no group “{group}”.")
            close_gaps(connection)

    def look_at(self, session: int) -> None:
        """Note that a person looks at a tab now."""
        with self._database.writing("soon") as connection:
            _touch(connection, "looked_at = ?", session, self._clock())

    def pair(self) -> TabPair | None:
        """The two tabs that were put side by side last, as long as both are open."""
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT left_one, right_one, to_both FROM tab_pair"
            ).fetchone()
        return None if found is None else TabPair(found[0], found[1], bool(found[2]))

    def keep_pair(self, pair: TabPair | None) -> None:
        """Note which two tabs stand side by side now, or that none do."""
        with self._database.writing("soon") as connection:
            connection.execute("DELETE FROM tab_pair")
            if pair is None:
                return
            for session in (pair.left, pair.right):
                _touch(connection, "id = id", session)
            connection.execute(
                "INSERT INTO tab_pair VALUES (1, ?, ?, ?)", (pair.left, pair.right, pair.to_both)
            )


def _standing(connection: sqlite3.Connection) -> list[Standing]:
    found = connection.execute(
        "SELECT id, tab_group, pinned FROM conversations WHERE position IS NOT NULL "
        "ORDER BY position, id"
    )
    return [Standing(session, group, bool(pinned)) for session, group, pinned in found]


def _number(connection: sqlite3.Connection, tabs: Sequence[Standing]) -> None:
    places = ((place, tab.session) for place, tab in enumerate(arranged(tabs)))
    connection.executemany(
        "UPDATE conversations SET position = ?1 WHERE id = ?2 AND position IS NOT ?1", places
    )


def _touch(connection: sqlite3.Connection, assignment: str, session: int, *values: object) -> None:
    statement = f"UPDATE conversations SET {assignment} WHERE id = ?"
    if not connection.execute(statement, (*values, session)).rowcount:
        raise absent_conversation(session)
