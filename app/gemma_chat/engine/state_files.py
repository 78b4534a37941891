"""Saved states in files: what makes a conversation go on at once after a restart.

One file holds one state: a header that says what it belongs to, the tokens, the bytes of llama.cpp,
and the checkpoints behind them from which a session goes back further than the state itself allows.
Files are written whole or not at all (temporary file, fsync, rename) by a thread of their own. A
file that is cut, damaged, of another model, build or context is ignored and removed.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import queue
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from gemma_chat.engine.checkpoints import Checkpoint
from gemma_chat.engine.state_bytes import StateBytes, empty_state
from gemma_chat.quantities import MB, byte_size

Tokens = npt.NDArray[np.int32]

_MAGIC = b"gemma-chat state 2\n"
_SUFFIX = ".state"
_MOST_HEADER = 1 << 20
"""Bytes; a long conversation of short turns has thousands of seams."""
_LEFT_BEHIND = 600.0
"""Seconds after which a file that was being written belongs to a process that has ended."""

LEFT_FREE = 256 * MB
"""Saved states never take the last bytes of a disk: conversations are written there, too."""

_log = logging.getLogger(__name__)


class StoredCheckpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """Where a checkpoint in a file stands among the tokens, and how long it is."""

    length: int
    first: int
    bytes: int


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says about itself; `checksum` is the CRC-32 of all that follows it."""

    fingerprint: str
    tokens: int
    state_bytes: int
    seams: tuple[int, ...]
    checksum: int
    adapter: str = ""
    """The key of the LoRA adapter it was evaluated with."""
    checkpoints: tuple[StoredCheckpoint, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The bytes of the state and of each checkpoint, in the order they have in the file."""
        return (self.state_bytes, *(point.bytes for point in self.checkpoints))


@dataclass(frozen=True, slots=True, eq=False)
class ReadState:
    """What a file holds."""

    state: StateBytes
    checkpoints: tuple[Checkpoint, ...]


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state in a file: its tokens are known, its bytes are read when they are wanted."""

    path: Path
    tokens: Tokens
    seams: tuple[int, ...]
    bytes: int
    adapter: str = ""
    checkpoints: tuple[StoredCheckpoint, ...] = ()


class StateFiles:
    """The state files of one model in one folder.

    Args:
        folder: made when the first file is written.
        fingerprint: names model, build and context; files of another one are removed.
        budget: bytes of all files together; the longest unused go first. 0 writes nothing.
    """

    def __init__(self, folder: Path, fingerprint: str, budget: int) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._budget = budget
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._pending = 0
        self._writer: threading.Thread | None = None

    # ------------------------------------------------------------ reading

    def known(self) -> Iterator[StoredState]:
        """All usable states of this model, the last used first; removes what is not usable."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}"), key=_used, reverse=True):
            header, tokens = self._read_header(path)
            if header is not None and header.fingerprint == self._fingerprint:
                yield StoredState(
                    path,
                    tokens,
                    header.seams,
                    sum(header.sizes),
                    header.adapter,
                    header.checkpoints,
                )
            elif header is None or path.name.startswith(self._fingerprint[:16]):
                self._remove(path, "it is damaged or outdated")

    def read(self, stored: StoredState) -> ReadState | None:
        """What a file holds, checked; `None`, and no file any more, when it is not whole."""
        header, tokens = self._read_header(stored.path)
        try:
            same = header is not None and header.adapter == stored.adapter
            if header is None or not same or not np.array_equal(tokens, stored.tokens):
                raise ValueError("its header has changed")
            with stored.path.open("rb") as file:
                file.seek(-sum(header.sizes), os.SEEK_END)
                parts = [_read_part(file, size) for size in header.sizes]
            if _checksum(tokens, *parts) != header.checksum:
                raise ValueError("its checksum is wrong")
        except (OSError, ValueError) as error:
            self._remove(stored.path, str(error))
            return None
        with contextlib.suppress(OSError):
            os.utime(stored.path)
        points = zip(header.checkpoints, parts[1:], strict=True)
        return ReadState(
            parts[0],
            tuple(Checkpoint(point.length, point.first, part) for point, part in points),
        )

    def _read_header(self, path: Path) -> tuple[Header | None, Tokens]:
        """Header and tokens, or `None` when the file's form or length is wrong."""
        nothing = np.empty(0, np.int32)
        try:
            with path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    return None, nothing
                line = file.readline(_MOST_HEADER)
                header = msgspec.json.decode(line, type=Header)
                whole = file.tell() + 4 * header.tokens + sum(header.sizes)
                if header.tokens < 0 or min(header.sizes) < 1 or path.stat().st_size != whole:
                    return None, nothing
                return header, np.fromfile(file, np.int32, header.tokens)
        except (OSError, ValueError, msgspec.MsgspecError, OverflowError):
            return None, nothing

    # ------------------------------------------------------------ writing

    def path_of(self, tokens: Tokens, adapter: str = "") -> Path:
        """The name of the file for these tokens, evaluated with this adapter."""
        content = sha256(adapter.encode() + tokens.tobytes()).hexdigest()[:32]
        return self._folder / f"{self._fingerprint[:16]}-{content}{_SUFFIX}"

    def write_soon(
        self,
        tokens: Tokens,
        seams: tuple[int, ...],
        state: StateBytes,
        checkpoints: Sequence[Checkpoint] = (),
        *,
        adapter: str = "",
        replaces: Path | None,
        wanted: Callable[[], bool],
    ) -> StoredState | None:
        """Write a state in the background; returns where, or `None` when nothing is written.

        Checkpoints that do not fit the budget beside their state are left out.

        `wanted` is asked just before the writing: a state that was replaced meanwhile is skipped.
        `replaces` is removed once the new file is whole.
        """
        if not self._budget or state.nbytes > self._budget:
            return None
        path = self.path_of(tokens, adapter)
        size = state.nbytes + sum(point.state.nbytes for point in checkpoints)
        points = checkpoints
        if size > self._budget:
            points, size = (), state.nbytes

        def write() -> None:
            if wanted() and not path.exists():
                self._write(path, tokens, seams, state, points, adapter)
            if replaces is not None and replaces != path and path.exists():
                replaces.unlink(missing_ok=True)

        self._enqueue(write)
        return StoredState(path, tokens, seams, size, adapter, _stored(points))

    def remove_soon(self, path: Path) -> None:
        """Remove a file after what is being written."""
        self._enqueue(lambda: path.unlink(missing_ok=True))

    def settle(self) -> None:
        """Wait until everything is written."""
        self.keep_up(0)

    def keep_up(self, most: int) -> None:
        """Wait until at most so many files are still to be written."""
        with self._idle:
            self._idle.wait_for(lambda: self._pending <= most)

    def close(self) -> None:
        """Write what waits, then end the thread; twice is fine."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._waiting.put(None)
            writer.join()

    def _enqueue(self, job: Callable[[], None]) -> None:
        with self._idle:
            self._pending += 1
        if self._writer is None:
            self._writer = threading.Thread(target=self._work, name="state files", daemon=True)
            self._writer.start()
        self._waiting.put(job)

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            try:
                job()
            except OSError as error:
                _log.warning("A saved state is kept in memory only: %s", error)
            except Exception:
                # Turns wait for this thread: it goes on, whatever a file has come to.
                _log.exception("a saved state is kept in memory only")
            with self._idle:
                self._pending -= 1
                self._idle.notify_all()

    def _write(
        self,
        path: Path,
        tokens: Tokens,
        seams: tuple[int, ...],
        state: StateBytes,
        checkpoints: Sequence[Checkpoint],
        adapter: str,
    ) -> None:
        parts = (state, *(point.state for point in checkpoints))
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_room(sum(part.nbytes for part in parts))
        header = Header(
            self._fingerprint,
            tokens.size,
            state.nbytes,
            seams,
            _checksum(tokens, *parts),
            adapter,
            _stored(checkpoints),
        )
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="writing-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_MAGIC + msgspec.json.encode(header) + b"\n")
                file.write(tokens.data)
                for part in parts:
                    file.write(part.data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        for leftover in self._folder.glob("writing-*"):
            # A younger one may be that of another process, with the same folder.
            if abs(time.time() - _used(leftover)) > _LEFT_BEHIND:
                leftover.unlink(missing_ok=True)
        files = sorted(self._folder.glob(f"*{_SUFFIX}"), key=_used)
        held = sum(map(_size, files))
        free = shutil.disk_usage(self._folder).free
        allowed = min(self._budget, held + free - LEFT_FREE)
        total = held + size
        for file in files:
            if total <= allowed:
                return
            total -= _size(file)
            file.unlink(missing_ok=True)
        if total > allowed:
            raise OSError(
                errno.ENOSPC, f"the last {byte_size(LEFT_FREE)} of the disk are left free"
            )

    def _remove(self, path: Path, reason: str) -> None:
        _log.info("The saved state %s is removed: %s", path.name, reason)
        with contextlib.suppress(OSError):
            path.unlink()


def _stored(points: Sequence[Checkpoint]) -> tuple[StoredCheckpoint, ...]:
    return tuple(StoredCheckpoint(one.length, one.first, one.state.nbytes) for one in points)


def _read_part(file: BufferedReader, size: int) -> StateBytes:
    part = empty_state(size)
    if file.readinto(part.data) != size:
        raise ValueError("it is cut short")
    return part


def _checksum(tokens: Tokens, *parts: StateBytes) -> int:
    checksum = zlib.crc32(tokens.data)
    for part in parts:
        checksum = zlib.crc32(part.data, checksum)
    return checksum


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
