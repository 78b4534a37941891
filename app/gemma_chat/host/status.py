"""Ask a running host how it is, or end it, without starting one: for the shell command."""

from __future__ import annotations

import asyncio
import os
import signal
import socket as sockets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gemma_chat.config.paths import Paths
from gemma_chat.errors import HostError
from gemma_chat.host.client import HostAbsentError, HostClient, HostRefusedError
from gemma_chat.host.peer import peer_of
from gemma_chat.host.protocol import Event, GetStatus, Status, StopHost
from gemma_chat.host.tenancy import is_claimed, read_tenant

STOP_SECONDS: Final = 15.0
_LOOK_AGAIN_SECONDS: Final = 0.05


async def host_status(paths: Paths) -> Status | None:
    """How the host stands, or `None` when none runs.

    Raises `HostError` when one runs and does not tell.
    """
    try:
        client = await connect_to_running(paths, listener=_ignore)
    except HostAbsentError:
        return None
    try:
        return await client.request(GetStatus(0))
    finally:
        await client.close()


async def connect_to_running(paths: Paths, *, listener: Callable[[Event], None]) -> HostClient:
    """A connection to the host that runs; raises `HostAbsentError` when none does."""
    return await HostClient.connect(_socket(paths), listener=listener)


async def stop_host(paths: Paths) -> bool:
    """End the host and wait until it has gone; `False` when none ran.

    A host of another version is ended too, by a signal. Raises `HostError` when it does not go
    within `STOP_SECONDS`.
    """
    socket = _socket(paths)
    try:
        client = await HostClient.connect(socket, listener=_ignore)
    except HostAbsentError:
        return False
    except HostRefusedError as error:
        if not error.refused.leaving:
            await asyncio.to_thread(_terminate, socket)
    else:
        try:
            await client.request(StopHost(0))
            await client.ended()
        finally:
            await client.close()
    await _gone(paths)
    return True


def _socket(paths: Paths) -> Path:
    """Where the host listens; it may have been started with another runtime folder."""
    tenant = read_tenant(paths.lock_file)
    if tenant is None or paths.socket.exists():
        return paths.socket
    return tenant.socket


def _terminate(socket: Path) -> None:
    """Send SIGTERM to the process that listens on `socket`."""
    try:
        with sockets.socket(sockets.AF_UNIX) as connection:
            connection.connect(str(socket))
            os.kill(peer_of(connection).pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except OSError as error:
        raise HostError(f"The host at {socket} cannot be ended: {error}.") from error


async def _gone(paths: Paths) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while is_claimed(paths.lock_file):
        if time.monotonic() > deadline:
            tenant = read_tenant(paths.lock_file)
            who = "" if tenant is None else f" (pid {tenant.pid})"
            raise HostError(
                f"The host{who} has not left within {STOP_SECONDS:.0f} seconds. "
                "End the process with `kill`."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _ignore(event: Event) -> None:
    """Only the answer counts here."""
