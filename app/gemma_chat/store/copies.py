"""Copies of the whole database, taken while it is in use.

A copy is written under another name, a hidden one that names the process that writes it, and gets
its own when it is whole. What a process leaves behind that dies meanwhile is found by that name.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from gemma_chat.errors import StoreError
from gemma_chat.store.faults import as_store_errors

_PART: Final = ".gemma-chat-part"
_WRITTEN_BY: Final = re.compile(rf"\..+\.(\d+)-\w+{re.escape(_PART)}(-journal)?")
_UNTOUCHED_SECONDS: Final = 3600.0
"""A part that nobody has written to for so long is nobody's, though a process has that number."""


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Write all of `source`, as it is at this moment, to the new file `target` (0600).

    SQLite's own backup: the copy is whole whatever is written meanwhile, needs no log beside it,
    and appears under its name only when it is on disk. Raises `StoreError`, also when there is a
    file of that name. What earlier copies have left in that folder goes.
    """
    remove_left_parts(target.parent)
    descriptor, name = _new_file(target)
    os.close(descriptor)
    part = Path(name)
    try:
        with as_store_errors(target), closing(sqlite3.connect(part)) as copy:
            # All pages in one go: they are of one moment, and writers are not held up.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        on_disk(part)
        try:
            os.link(part, target)
        except FileExistsError:
            raise StoreError(
                f"There is a file {target} already; it was left as it is. Give another name."
            ) from None
    except OSError as error:
        raise StoreError(f"The copy {target} cannot be written ({error.strerror}).") from None
    finally:
        part.unlink(missing_ok=True)


def remove_left_parts(folder: Path) -> None:
    """Remove what copies that were cut off have left in a folder, as far as that can be done."""
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as found:
        entries.extend(found)
    for entry in entries:
        written_by = _WRITTEN_BY.fullmatch(entry.name)
        # Each for itself: one that cannot be removed, or that another process removes first.
        with suppress(OSError):
            if written_by is not None and _is_left(Path(entry), int(written_by[1])):
                Path(entry).unlink()


def _is_left(part: Path, writer: int) -> bool:
    try:
        os.kill(writer, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        # A process of somebody else, whatever it does.
        pass
    return time.time() - part.stat().st_mtime > _UNTOUCHED_SECONDS


def back_up(path: Path, target: Path) -> None:
    """Copy the database at `path` to the new file `target`, from any thread."""
    with as_store_errors(path), closing(sqlite3.connect(path)) as source:
        copy_database(source, target)


def copy_before_migration(source: sqlite3.Connection, path: Path, version: int) -> Path:
    """Keep the database at `path` as it was in `version`; returns the file of the copy."""
    target = unused(path.with_name(f"{path.stem}-version-{version}{path.suffix}"))
    copy_database(source, target)
    return target


def unused(path: Path) -> Path:
    """`path`, or with a number in its name the first that is not taken."""
    candidate = path
    number = 1
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def _new_file(target: Path) -> tuple[int, str]:
    if os.path.lexists(target):
        raise StoreError(
            f"There is a file {target} already; it was left as it is. Give another name."
        )
    try:
        prefix = f".{target.name}.{os.getpid()}-"
        return tempfile.mkstemp(dir=target.parent, prefix=prefix, suffix=_PART)
    except FileNotFoundError:
        raise StoreError(
            f"The folder {target.parent} for the copy does not exist. Make it first."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The copy {target} cannot be written ({error.strerror}). Name a place that is "
            "writable for you."
        ) from None


def on_disk(path: Path) -> None:
    """Return when no power cut can take back a new file, or its name."""
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
