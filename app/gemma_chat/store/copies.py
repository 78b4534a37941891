"""Copies of the whole database, taken while it is in use."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from gemma_chat.errors import StoreError
from gemma_chat.store.faults import as_store_errors


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """Write all of `source`, as it is at this moment, to the new file `target` (0600).

    SQLite's own backup: the copy is whole whatever is written meanwhile, needs no log beside it,
    and appears under its name only when it is on disk. Raises `StoreError`, also when there is a
    file of that name.
    """
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
        return tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
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
