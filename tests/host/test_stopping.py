"""Hosts that are told to stop: those of another version, those that hang, and their successors."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.host.watcher import Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.errors import HostError
from gemma_chat.host import client as client_module
from gemma_chat.host import status as status_module
from gemma_chat.host.client import HostClient
from gemma_chat.host.framing import encode_frame, read_payload
from gemma_chat.host.launch import HostLaunch, connect_or_start
from gemma_chat.host.lock_file import LockFile
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    Refused,
)
from gemma_chat.host.status import host_status, stop_host
from gemma_chat.host.tenancy import is_claimed

OTHER_VERSION = """
import asyncio, sys
from gemma_chat.config.paths import Paths
from gemma_chat.host.framing import encode_frame, read_payload
from gemma_chat.host.protocol import Refused
from gemma_chat.host.tenancy import Tenancy

async def refuse(reader, writer):
    await read_payload(reader)
    writer.write(encode_frame(Refused(99, "another version")))
    await writer.drain()
    writer.close()

async def serve():
    paths = Paths.default()
    paths.make_folders()
    Tenancy.claim(paths.lock_file, paths.socket)
    async with await asyncio.start_unix_server(refuse, str(paths.socket)) as server:
        print("up", flush=True)
        await server.serve_forever()

asyncio.run(serve())
"""


async def test_a_host_of_another_version_is_left_alone_and_can_be_stopped(
    paths: Paths, launch: HostLaunch
) -> None:
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_VERSION, stdout=asyncio.subprocess.PIPE
    )
    assert host.stdout is not None
    assert await host.stdout.readline() == b"up\n"
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.phase("failed")
    assert f"This gemma-chat is older (protocol {PROTOCOL_VERSION})" in watcher.link.state.sentence
    with pytest.raises(HostError, match="older"):
        await host_status(paths)
    assert host.returncode is None
    assert await stop_host(paths)
    assert await host.wait() == -signal.SIGTERM
    watcher.link.retry()
    await watcher.phase("connected")
    await watcher.link.close()


async def test_a_host_met_on_its_way_out_is_followed_by_the_next(
    paths: Paths, launch: HostLaunch
) -> None:
    paths.make_folders()
    met = asyncio.Event()

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_payload(reader)
        server.close()
        paths.socket.unlink()
        writer.write(encode_frame(Refused(PROTOCOL_VERSION, "leaving", leaving=True)))
        writer.close()
        met.set()

    server = await asyncio.start_unix_server(leave, str(paths.socket))
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.phase("connected")
    assert met.is_set()
    assert [phase for phase, _ in watcher.phases] == ["connecting", "connected"]
    await watcher.link.close()


async def test_a_host_that_was_stopped_by_a_signal_can_be_ended(
    paths: Paths, launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect_or_start(launch)
    os.kill(client.welcome.pid, signal.SIGSTOP)
    monkeypatch.setattr(client_module, "HANDSHAKE_SECONDS", 0.05)
    assert await stop_host(paths)
    assert not is_claimed(paths.lock_file)
    await client.close()


async def test_a_host_that_hangs_when_it_is_told_to_stop_can_be_ended(
    paths: Paths, launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect_or_start(launch)
    connect = HostClient.connect

    async def connect_and_hang(socket: Path, **options: Any) -> HostClient:
        connected = await connect(socket, **options)
        os.kill(client.welcome.pid, signal.SIGSTOP)
        return connected

    monkeypatch.setattr(status_module, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(HostClient, "connect", connect_and_hang)
    assert await stop_host(paths)
    assert not is_claimed(paths.lock_file)
    await client.close()


async def test_the_successor_of_a_host_that_was_told_to_stop_is_not_waited_for(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.make_folders()
    lock = LockFile.take(paths.lock_file)
    assert lock is not None
    lock.write(b"1\n" + os.fsencode(paths.socket))

    async def be_followed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_payload(reader)
        lock.write(b"2\n" + os.fsencode(paths.socket))
        writer.write(encode_frame(Refused(PROTOCOL_VERSION, "leaving", leaving=True)))
        writer.close()

    monkeypatch.setattr(status_module, "STOP_SECONDS", 0.0)
    async with await asyncio.start_unix_server(be_followed, str(paths.socket)):
        assert await stop_host(paths)
    lock.release()
