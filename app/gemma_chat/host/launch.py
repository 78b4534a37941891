"""Start the host on demand.

Of several terminals that find no host, the one that gets the lock on `start_lock` starts it; the
others wait for its socket. The host announces that it is ready by accepting connections. It owns
the socket file: it holds a lock of its own as long as it lives (see `tenancy`), so a socket file
found under that lock belongs to a dead host and only the host removes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gemma_chat.config.paths import DEFAULT_PROFILE, Paths
from gemma_chat.errors import HostError, SettingsError
from gemma_chat.host.client import PROGRAM, HostAbsentError, HostClient
from gemma_chat.host.exits import EXIT_ALREADY_RUNNING, EXIT_UNUSABLE
from gemma_chat.host.lock_file import LockFile
from gemma_chat.host.protocol import Event
from gemma_chat.host.tenancy import read_tenant

START_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.05
_START_AGAIN_SECONDS: Final = 0.3
_LAST_LINES: Final = 6
_LAST_BYTES: Final = 4096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostLaunch:
    """Where a host is found, and how one is started when there is none."""

    paths: Paths
    arguments: tuple[str, ...] = ()
    """The command line of `gemma_chat.host.main`."""
    program: str = PROGRAM
    """The name this client gives itself in the handshake."""

    @classmethod
    def of_profile(
        cls,
        profile: str = DEFAULT_PROFILE,
        model: Path | None = None,
        *,
        server: str = "",
        server_model: str = "",
    ) -> HostLaunch:
        """The host of `profile`; when it has to be started, with `model` or on `server`.

        Raises `SettingsError` when the profile's name is not allowed.
        """
        arguments = ["--profile", profile]
        if model is not None:
            arguments += ["--model", str(model.expanduser().absolute())]
        for option, value in (("--server", server), ("--server-model", server_model)):
            if value:
                arguments.append(f"{option}={value}")
        return cls(Paths.default(profile), tuple(arguments))

    def again(self) -> HostLaunch:
        """The same, for a host that takes the place of one that was killed."""
        return replace(self, arguments=(*self.arguments, "--again"))

    @property
    def command(self) -> str:
        """What is typed in a shell to reach the same host: `gemma-chat --profile NAME`."""
        if "--profile" not in self.arguments:
            return PROGRAM
        profile = self.arguments[self.arguments.index("--profile") + 1]
        return PROGRAM if profile == DEFAULT_PROFILE else f"{PROGRAM} --profile {profile}"

    @property
    def start_lock(self) -> Path:
        """The file whose lock decides who starts the host."""
        return self.paths.runtime_dir / "start.lock"

    @property
    def output(self) -> Path:
        """What the process and native code write; that of the host before it is kept as `.1`."""
        return self.paths.state_dir / "host-output.log"


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
    try:
        launch.paths.make_folders()
    except SettingsError as error:
        raise HostError(str(error)) from error
    async with _start_right(launch.start_lock, deadline):
        # Somebody else may have started it while this one waited for the lock.
        with contextlib.suppress(HostAbsentError):
            return await _connect(launch, listener)
        return await _connect_to_new(launch, deadline, listener)


async def _connect(launch: HostLaunch, listener: Callable[[Event], None] | None) -> HostClient:
    try:
        return await HostClient.connect(
            launch.paths.socket, program=launch.program, listener=listener
        )
    except HostAbsentError:
        # The host may have been started where the runtime directory is another one.
        tenant = read_tenant(launch.paths.lock_file)
        if tenant is None or tenant.socket == launch.paths.socket:
            raise
        return await HostClient.connect(tenant.socket, program=launch.program, listener=listener)


@contextlib.asynccontextmanager
async def _start_right(path: Path, deadline: float) -> AsyncIterator[None]:
    while (lock := _taken(path)) is None:
        if time.monotonic() > deadline:
            raise HostError(
                "Another gemma-chat has been starting the host for "
                f"{START_SECONDS:.0f} seconds. Look at it, or end it, and try again."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _taken(path: Path) -> LockFile | None:
    try:
        return LockFile.take(path)
    except OSError as error:
        raise HostError(f"{path} cannot be opened: {error.strerror or error}.") from error


def _spawn(launch: HostLaunch) -> subprocess.Popen[bytes]:
    # -P keeps the directory the person stands in out of the host's imports.
    command = [sys.executable, "-P", "-m", "gemma_chat.host.main", *launch.arguments]
    try:
        if launch.output.exists():
            launch.output.replace(launch.output.with_name(launch.output.name + ".1"))
        launch.output.touch(mode=0o600)
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
    launch: HostLaunch, deadline: float, listener: Callable[[Event], None] | None
) -> HostClient:
    process = _spawn(launch)
    while True:
        # Read before connecting: a host that has left in between was not there to answer.
        exit_code = process.returncode
        with contextlib.suppress(HostAbsentError):
            return await _connect(launch, listener)
        if time.monotonic() > deadline:
            raise HostError(
                f"The host was not ready within {START_SECONDS:.0f} seconds; "
                f"its messages are in {launch.output}."
            )
        if exit_code == EXIT_ALREADY_RUNNING:
            # The host before it is still on its way out.
            await asyncio.sleep(_START_AGAIN_SECONDS)
            process = _spawn(launch)
        elif exit_code is not None:
            raise HostError(_last_words(exit_code, launch.output))
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _last_words(exit_code: int, output: Path) -> str:
    if exit_code == EXIT_UNUSABLE:
        return last_lines(output, count=1) or _without_words(output.parent)
    how = f"exit code {exit_code}"
    if exit_code < 0:
        with contextlib.suppress(ValueError):
            how = f"killed by {signal.Signals(-exit_code).name}"
    lines = last_lines(output) or f"none in {output}"
    return f"The host ended while starting ({how}). Its last words: {lines}"


def _without_words(folder: Path) -> str:
    """Why a host could not even write why it ended."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < _LAST_BYTES:
            return f"The disk that holds {folder} is full. Free some space and try again."
    return f"The host cannot use its files in {folder}."


def last_lines(path: Path, *, count: int = _LAST_LINES) -> str:
    """The last few lines of a log, on one line, with control characters made visible; or ""."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    joined = " | ".join(lines[-count:])
    return "".join(char if char.isprintable() else "�" for char in joined)
