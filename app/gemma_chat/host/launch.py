"""Start the host on demand.

Of several terminals that find no host, the one that gets the lock on `start_lock` starts it; the
others wait for its socket. The host announces that it is ready by accepting connections. It owns
the socket file: it holds a lock of its own as long as it lives (see `tenancy`), so a socket file
found under that lock belongs to a dead host and only the host removes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gemma_chat.errors import HostError
from gemma_chat.host.client import PROGRAM, HostAbsentError, HostClient
from gemma_chat.host.exits import EXIT_ALREADY_RUNNING
from gemma_chat.host.protocol import Event

START_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.05
_LAST_LINES: Final = 6
_LAST_BYTES: Final = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostLaunch:
    """Where a host is found, and how one is started when there is none."""

    socket: Path
    """The unix socket; its directory is the runtime directory and is made with mode 0700."""
    output: Path
    """The file that takes what the process and native code write; one older one is kept."""
    arguments: tuple[str, ...] = ()
    """The command line of `gemma_chat.host.main`."""
    program: str = PROGRAM
    """The name this client gives itself in the handshake."""

    @property
    def start_lock(self) -> Path:
        """The file whose lock decides who starts the host."""
        return self.socket.with_name("start.lock")


async def connect_or_start(
    launch: HostLaunch, *, listener: Callable[[Event], None] | None = None
) -> HostClient:
    """A connection to the running host, or to one started for it.

    Raises `HostRefusedError` when the host does not want this client, else `HostError`: the host
    ended while it started (with the last lines it wrote), or was not ready in `START_SECONDS`.
    """
    deadline = time.monotonic() + START_SECONDS
    with contextlib.suppress(HostAbsentError):
        return await _connect(launch, listener)
    make_private_directory(launch.socket.parent)
    async with _start_right(launch.start_lock, deadline):
        # Somebody else may have started it while this one waited for the lock.
        with contextlib.suppress(HostAbsentError):
            return await _connect(launch, listener)
        process = _spawn(launch)
        return await _connect_to_new(launch, process, deadline, listener)


def make_private_directory(directory: Path) -> None:
    """Make `directory`, for this user only; raises `HostError` when that cannot be had."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = directory.stat().st_uid
        if owner != os.getuid():
            raise HostError(
                f"The runtime directory {directory} belongs to another user (uid {owner}); "
                "set XDG_RUNTIME_DIR to a directory of your own."
            )
        directory.chmod(0o700)
    except OSError as error:
        raise HostError(
            f"The runtime directory {directory} cannot be made: {error.strerror or error}."
        ) from error


async def _connect(launch: HostLaunch, listener: Callable[[Event], None] | None) -> HostClient:
    return await HostClient.connect(launch.socket, program=launch.program, listener=listener)


@contextlib.asynccontextmanager
async def _start_right(path: Path, deadline: float) -> AsyncIterator[None]:
    with _opened(path) as descriptor:
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise HostError(
                    "Another gemma-chat has been starting the host for "
                    f"{START_SECONDS:.0f} seconds. Look at it, or end it, and try again."
                )
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HostError(f"{path} cannot be opened: {error.strerror or error}.") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _spawn(launch: HostLaunch) -> subprocess.Popen[bytes]:
    # -P keeps the directory the person stands in out of the host's imports.
    command = [sys.executable, "-P", "-m", "gemma_chat.host.main", *launch.arguments]
    try:
        launch.output.parent.mkdir(parents=True, exist_ok=True)
        if launch.output.exists():
            launch.output.replace(launch.output.with_name(launch.output.name + ".1"))
        with launch.output.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
    except OSError as error:
        raise HostError(f"The host cannot be started: {error.strerror or error}.") from error
    # The host outlives requests for it, often this process too; somebody has to collect it.
    threading.Thread(target=process.wait, name=f"host-{process.pid}", daemon=True).start()
    _log.info("started a host, pid %d", process.pid)
    return process


async def _connect_to_new(
    launch: HostLaunch,
    process: subprocess.Popen[bytes],
    deadline: float,
    listener: Callable[[Event], None] | None,
) -> HostClient:
    while True:
        exit_code = process.returncode
        with contextlib.suppress(HostAbsentError):
            return await _connect(launch, listener)
        if exit_code not in (None, EXIT_ALREADY_RUNNING):
            raise HostError(f"The host ended while starting: {_how(exit_code, launch.output)}")
        if time.monotonic() > deadline:
            raise HostError(
                f"The host was not ready within {START_SECONDS:.0f} seconds; "
                f"its messages are in {launch.output}."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _how(exit_code: int, output: Path) -> str:
    how = f"exit code {exit_code}"
    if exit_code < 0:
        with contextlib.suppress(ValueError):
            how = f"killed by {signal.Signals(-exit_code).name}"
    lines = last_lines(output)
    return f"{how}. Its last words: {lines}" if lines else f"{how}; it left no message in {output}."


def last_lines(path: Path) -> str:
    """The last few lines of a log, on one line, with control characters made visible; or ""."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = " | ".join(lines[-_LAST_LINES:])
    return "".join(char if char.isprintable() else "�" for char in joined)
