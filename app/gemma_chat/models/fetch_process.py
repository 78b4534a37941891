"""Downloads one model: `python -m gemma_chat.models.fetch_process NAME FOLDER`.

A process of its own, so that pausing is ending it, at once and whatever it waits for, and so that
gigabytes of Python loops do not slow the tokens of the host that started it. It tells on stdout
what it does, one JSON object a line, and ends when its stdin is closed: with the host, however the
host ends. What has come of a file is kept; the next one goes on from there.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from gemma_chat.errors import GatedModelError, GemmaChatError
from gemma_chat.models.hub import Hub, HubFile, wanted

REPORT_SECONDS: Final = 0.2
"""Progress is told at most this often."""


class Found(msgspec.Struct, frozen=True, tag="found"):
    """What the hub has: the sizes of all files together, in bytes."""

    total: int


class Came(msgspec.Struct, frozen=True, tag="came"):
    """So many bytes of all files are there; `file` is the one that comes now."""

    done: int
    file: str


class Checking(msgspec.Struct, frozen=True, tag="checking"):
    """A file is there and is compared with its checksum."""

    file: str


class Got(msgspec.Struct, frozen=True, tag="got"):
    """All of it is there and whole; `path` is the file to load."""

    path: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """It cannot be got. `page` is where the terms of a gated model are accepted."""

    error: str
    page: str = ""


Report = Found | Came | Checking | Got | Refused


class Reporter:
    """Writes reports; progress not too often."""

    def __init__(self, files: tuple[HubFile, ...]) -> None:
        self._sizes = {file.name: file.bytes for file in files}
        self._before = 0
        self._file = ""
        self._told = 0.0
        tell(Found(sum(self._sizes.values())))

    def show(self, name: str, done: int, total: int) -> None:
        """`done` of the `total` bytes of file `name` are there."""
        if name != self._file:
            self._before += self._sizes.get(self._file, 0)
            self._file = name
            self._told = 0.0
        now = time.monotonic()
        whole = bool(total) and done >= total
        if whole or now - self._told >= REPORT_SECONDS:
            self._told = now
            tell(Came(self._before + done, name))
        if whole:
            tell(Checking(name))


def tell(report: Report) -> None:
    """Write one line to stdout."""
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


def fetch(name: str, models: Path) -> Path:
    """Download all files of a model; the path of the one to load. Raises `ModelLoadError`."""
    want = wanted(name)
    hub = Hub()
    files = hub.files(want)
    return hub.get_model(want, files, models, Reporter(files).show)


def _end_with_parent() -> None:
    # Not through `sys.stdin`, whose lock a thread that waits holds when the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)


def main() -> int:
    """Download what the command line names; 0 when it is there."""
    name, folder = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        tell(Got(str(fetch(name, Path(folder)))))
    except GatedModelError as error:
        tell(Refused(str(error), error.page))
        return 1
    except GemmaChatError as error:
        tell(Refused(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
