"""Ask a running host how it is, or end it, without starting one: for the shell command."""

from __future__ import annotations

import asyncio
import contextlib
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
from gemma_chat.host.tenancy import Tenant, is_claimed, living_tenant, read_tenant

STOP_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 5.0
"""A host that has not answered after this is ended by a signal."""
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

    A host of another version, or one that does not answer, is ended by a signal. Raises
    `HostError` when it does not go within `STOP_SECONDS`.
    """
    socket, tenant = _socket(paths), read_tenant(paths.lock_file)
    try:
        client = await HostClient.connect(socket, listener=_ignore)
    except HostAbsentError:
        return False
    except HostRefusedError as error:
        if not error.refused.leaving:
            await asyncio.to_thread(_terminate, socket)
    except HostError:
        await asyncio.to_thread(_terminate, socket)
    else:
        await _ask_to_leave(client, socket)
    await _gone(paths, tenant)
    return True


async def _ask_to_leave(client: HostClient, socket: Path) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            # One that is on its way out already has no answer to this.
            with contextlib.suppress(HostError):
                await client.request(StopHost(0))
    except TimeoutError:
        await asyncio.to_thread(_terminate, socket)
    finally:
        await client.close()


def _socket(paths: Paths) -> Path:
    """Where the host listens; it may have been started with another runtime folder."""
    tenant = living_tenant(paths.lock_file)
    if tenant is None or paths.socket.exists():
        return paths.socket
    return tenant.socket


def _terminate(socket: Path) -> None:
    """Send SIGTERM to the process that listens on `socket`; one that was stopped goes on for it."""
    try:
        with sockets.socket(sockets.AF_UNIX) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(str(socket))
            for number in (signal.SIGTERM, signal.SIGCONT):
                os.kill(peer_of(connection).pid, number)
    except ProcessLookupError:
        return
    except OSError as error:
        raise HostError(f"The host at {socket} cannot be ended: {error}.") from error


async def _gone(paths: Paths, tenant: Tenant | None) -> None:
    """Wait until the host has let its lock go; a terminal may have started the next one since."""
    deadline = time.monotonic() + STOP_SECONDS
    while is_claimed(paths.lock_file) and read_tenant(paths.lock_file) == tenant:
        if time.monotonic() > deadline:
            who = "" if tenant is None else f" (pid {tenant.pid})"
            raise HostError(
                f"The host{who} has not left within {STOP_SECONDS:.0f} seconds. "
                "End the process with `kill -9`."
            )
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _ignore(event: Event) -> None:
    """Only the answer counts here."""
