"""Dies in the middle of a migration, again and again: `python migrator.py FOLDER STEP`.

`FOLDER/old.db` is a database of an older version. A death by SIGKILL when the Nth statement begins
leaves what there is in `FOLDER/N`. N grows by `STEP`; the first process that lives is the last.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from gemma_chat.store import copies, opening
from gemma_chat.store.recovery import open_or_recover


class Reaper:
    """Counts the statements of all connections, and kills at one of them."""

    def __init__(self, last: int) -> None:
        self._left = last

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(*arguments, **options)
        connection.set_trace_callback(self._begins)
        return connection

    def _begins(self, statement: str) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


class Traced:
    """The module `sqlite3`, whose connections a reaper counts."""

    def __init__(self, reaper: Reaper) -> None:
        self.connect = reaper.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)


def survives(folder: Path, last: int) -> bool:
    """Whether a process that dies at statement `last` comes to its end before."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == 0
    traced: Any = Traced(Reaper(last))
    opening.sqlite3 = copies.sqlite3 = traced
    store, _ = open_or_recover(folder / "conversations.db")
    store.close()
    os._exit(0)


def main(folder: Path, step: int) -> None:
    for number in itertools.count(1, step):
        place = folder / str(number)
        place.mkdir()
        shutil.copy(folder / "old.db", place / "conversations.db")
        if survives(place, number):
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
