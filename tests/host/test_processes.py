"""Real host processes: started on demand, found, left running, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from tests.host.host_process import run_host
from tests.host.watcher import DEADLINE, Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.host.exits import EXIT_ALREADY_RUNNING, EXIT_OK
from gemma_chat.host.launch import HostLaunch, connect_or_start
from gemma_chat.host.main import LOG_BYTES
from gemma_chat.host.protocol import (
    GetStatus,
    Goodbye,
    OpenSession,
    Request,
    SendMessage,
    StopHost,
)
from gemma_chat.host.status import host_status, stop_host


async def test_the_first_terminal_starts_a_host_and_the_second_finds_it(
    paths: Paths, launch: HostLaunch
) -> None:
    assert await host_status(paths) is None
    first = await connect_or_start(launch)
    second = await connect_or_start(launch)
    assert first.welcome.pid == second.welcome.pid != os.getpid()
    for private in (paths.socket, paths.lock_file, launch.output, paths.log_file):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.runtime_dir.stat().st_mode) == 0o700
    status = await host_status(paths)
    assert status is not None
    assert (status.pid, status.model.phase) == (first.welcome.pid, "none")
    for client in (first, second):
        await client.close()
    assert await stop_host(paths)
    for left in (paths.socket, paths.lock_file, launch.start_lock):
        assert not left.exists()
    assert not await stop_host(paths)


async def test_a_full_log_and_the_one_that_takes_its_place_are_private(
    paths: Paths, launch: HostLaunch
) -> None:
    paths.make_folders()
    paths.log_file.write_bytes(b"x" * LOG_BYTES)
    paths.log_file.chmod(0o644)
    client = await connect_or_start(launch)
    full = paths.log_file.with_name(f"{paths.log_file.name}.1")
    for log in (paths.log_file, full):
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
    await client.close()


START = """
import asyncio, sys
from gemma_chat.config.paths import Paths
from gemma_chat.host.launch import HostLaunch, connect_or_start

async def start():
    client = await connect_or_start(HostLaunch(Paths.default(), ("--no-model",)))
    print(client.welcome.pid)
    await client.close()

asyncio.run(start())
"""


async def test_four_terminals_that_start_at_once_get_one_host(paths: Paths) -> None:
    starters = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", START, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(4)
    ]
    answers = await asyncio.gather(*(starter.communicate() for starter in starters))
    pids = {int(out) for out, _ in answers}
    assert len(pids) == 1
    status = await host_status(paths)
    assert status is not None
    assert {status.pid} == pids


async def test_without_a_model_a_question_stays_and_says_why(watcher: Watcher) -> None:
    session = (await watcher.link.request(OpenSession(0))).session
    await watcher.link.request(SendMessage(0, session, "hello"))
    await watcher.until(lambda: any("No model is loaded" in str(e) for e in watcher.events))


@pytest.mark.parametrize("request_", [StopHost(0)])
async def test_a_stop_is_answered(watcher: Watcher, request_: Request) -> None:
    await watcher.link.request(request_)
    await watcher.phase("failed")


async def test_the_host_leaves_when_the_last_terminal_has_gone(
    paths: Paths, spawned: list[subprocess.Popen[bytes]]
) -> None:
    launch = HostLaunch(paths, ("--no-model", "--keep-alive", "0"))
    first, second = await connect_or_start(launch), await connect_or_start(launch)
    await first.close()
    assert (await second.request(GetStatus(0))).pid == second.welcome.pid
    await second.close()
    [host] = spawned
    assert await asyncio.to_thread(host.wait, DEADLINE) == EXIT_OK
    assert not paths.socket.exists()
    assert "nobody needed it" in paths.log_file.read_text()


async def test_a_host_from_which_somebody_detached_stays_until_the_last_one_quits(
    paths: Paths, spawned: list[subprocess.Popen[bytes]]
) -> None:
    launch = HostLaunch(paths, ("--no-model", "--keep-alive", "0"))
    first = await connect_or_start(launch)
    await first.request(Goodbye(0, "stays"))
    await first.close()
    for _ in range(3):
        status = await host_status(paths)
        assert status is not None
        assert status.stays
    again = await connect_or_start(launch)
    assert again.welcome.pid == first.welcome.pid
    await again.request(Goodbye(0))
    await again.close()
    [host] = spawned
    assert await asyncio.to_thread(host.wait, DEADLINE) == EXIT_OK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_host_cleanly(
    paths: Paths,
    launch: HostLaunch,
    spawned: list[subprocess.Popen[bytes]],
    number: signal.Signals,
) -> None:
    client = await connect_or_start(launch)
    [host] = spawned
    host.send_signal(number)
    assert await asyncio.to_thread(host.wait, DEADLINE) == EXIT_OK
    assert not paths.socket.exists()
    assert number.name in paths.log_file.read_text()
    await client.close()


async def test_a_second_host_for_the_same_database_leaves_at_once(
    paths: Paths, launch: HostLaunch
) -> None:
    client = await connect_or_start(launch)
    exit_code, said = await run_host("--no-model")
    assert exit_code == EXIT_ALREADY_RUNNING
    assert f"pid {client.welcome.pid}" in said
    assert await host_status(paths) is not None
    await client.close()


async def test_what_a_dead_host_left_behind_is_in_nobodys_way(
    paths: Paths, launch: HostLaunch
) -> None:
    paths.make_folders()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket))
    paths.lock_file.write_text("99999999\n/nowhere/host.sock")
    client = await connect_or_start(launch)
    assert client.welcome.pid > 0
    await client.close()


async def test_a_host_with_another_runtime_folder_is_found(
    paths: Paths, launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect_or_start(launch)
    elsewhere = Paths(
        settings_file=paths.settings_file,
        themes_dir=paths.themes_dir,
        data_dir=paths.data_dir,
        state_dir=paths.state_dir,
        cache_dir=paths.cache_dir,
        runtime_dir=paths.runtime_dir.with_name("other"),
    )
    other = await connect_or_start(HostLaunch(elsewhere, ("--no-model",)))
    assert other.welcome.pid == client.welcome.pid
    status = await host_status(elsewhere)
    assert status is not None
    for one in (client, other):
        await one.close()
    assert await stop_host(elsewhere)
