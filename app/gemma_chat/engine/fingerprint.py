"""Which saved states belong to a model: those of the same file, run in the same way."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from gemma_chat.engine import safety
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.engine.library import library_file
from gemma_chat.engine.state_files import StateFiles
from gemma_chat.quantities import MB

_LOOKED_AT = 1 << 20
"""Bytes at both ends of a file."""


def states_on_disk(
    path: Path, context_size: int, options: EngineOptions, mode: safety.Mode
) -> StateFiles | None:
    """The files of states that fit the model at `path`; `None` when there shall be none."""
    if options.states_dir is None or options.states_disk_mb <= 0:
        return None
    budget = options.states_disk_mb * MB
    run = f"{context_size} {options.kv_type} {options.micro_batch} {mode}"
    parts = [run, _identity(library_file())]
    if options.projector_path is not None:
        parts.append(_fingerprint(options.projector_path))
    fingerprint = _fingerprint(path, *parts)
    return StateFiles(options.states_dir, fingerprint, budget)


def _fingerprint(path: Path, *parts: str) -> str:
    """Names a model file by its beginning, end and size, and how it is run: states fit no other."""
    size = path.stat().st_size
    digest = sha256("\n".join(parts).encode())
    with path.open("rb") as file:
        digest.update(file.read(_LOOKED_AT))
        file.seek(-min(_LOOKED_AT, size), os.SEEK_END)
        digest.update(file.read())
    digest.update(str(size).encode())
    return digest.hexdigest()


def _identity(file: Path) -> str:
    status = file.stat()
    return f"{file} {status.st_size} {status.st_mtime_ns}"
