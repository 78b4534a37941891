"""What is under way and may end the process: written down before it runs, taken away after.

Native code that fails ends the process, and nobody is left to tell what it was doing. So the next
process looks here: what was running when the one before it died is a death of that subject. Only
the death of the process has to be survived, so nothing here waits for the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gemma_chat.store.database import Database

REMEMBERED_SECONDS: Final = 3600.0
"""Deaths are forgotten after this."""

SCHEMA: Final = (
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        subject TEXT NOT NULL,
        running INTEGER NOT NULL DEFAULT 0,
        died REAL
    )
    """,
)


class Attempts:
    """The table of attempts; see `Store.attempts`. Methods raise `StoreError` as the store's do."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def begin(self, subject: str) -> int:
        """`subject` is about to run, or waits to; returns the number of the attempt."""
        with self._database.writing("soon") as connection:
            number = connection.execute(
                "INSERT INTO attempts (subject) VALUES (?)", (subject,)
            ).lastrowid
        assert number is not None
        return number

    def run(self, attempt: int) -> None:
        """It waits no longer."""
        with self._database.writing("soon") as connection:
            connection.execute("UPDATE attempts SET running = 1 WHERE id = ?", (attempt,))

    def end(self, attempt: int) -> None:
        """It was survived."""
        with self._database.writing("soon") as connection:
            connection.execute("DELETE FROM attempts WHERE id = ?", (attempt,))

    def die(self, attempt: int) -> None:
        """It was not survived, though the process was; one that still waited is not to blame."""
        with self._database.writing("soon") as connection:
            connection.execute(
                "UPDATE attempts SET died = ? WHERE id = ? AND running", (self._clock(), attempt)
            )
            connection.execute("DELETE FROM attempts WHERE id = ? AND died IS NULL", (attempt,))

    def settle(self) -> tuple[str, ...]:
        """At start: what the process before died of, as far as it can be told.

        That is what ran. When nothing did, it is what waited longest: it may have been begun in
        the moment before the process could write so.
        """
        now = self._clock()
        with self._database.writing() as connection:
            # Deaths to come were written down by a clock that was set back since.
            connection.execute(
                "DELETE FROM attempts WHERE died < ? OR died > ?", (now - REMEMBERED_SECONDS, now)
            )
            open_ones = connection.execute(
                "SELECT id, subject, running FROM attempts WHERE died IS NULL ORDER BY id"
            ).fetchall()
            blamed = [one for one in open_ones if one[2]] or open_ones[:1]
            connection.executemany(
                "UPDATE attempts SET died = ? WHERE id = ?", [(now, one[0]) for one in blamed]
            )
            connection.execute("DELETE FROM attempts WHERE died IS NULL")
        return tuple(subject for _, subject, _ in blamed)

    def deaths(self, subject: str) -> tuple[float, ...]:
        """When the process died of `subject`, oldest first, as seconds since the epoch."""
        now = self._clock()
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT died FROM attempts WHERE subject = ? AND died <= ? ORDER BY died",
                (subject, now),
            )
            return tuple(died for (died,) in found)
