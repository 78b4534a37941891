"""Looking at a database without changing a byte of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gemma_chat.store.faults import as_store_errors

_MOST_FAULTS = 5


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a database holds, and the first faults that were found; none when it is sound."""

    version: int
    conversations: int
    messages: int
    faults: tuple[str, ...]


def inspect(path: Path) -> Inspection:
    """Check every page, index and reference of the database at `path`, also while it is in use.

    Raises `StoreError` when it cannot be read at all.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with as_store_errors(path), closing(sqlite3.connect(uri, uri=True)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        found = connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})").fetchall()
        faults = [str(fault) for (fault,) in found if fault != "ok"]
        if not faults:
            stray = connection.execute("PRAGMA foreign_key_check").fetchall()
            faults = [f"{len(stray)} rows belong to nothing"] if stray else []
        counts = [
            0 if faults else connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("conversations", "messages")
        ]
    return Inspection(version, counts[0], counts[1], tuple(faults))
