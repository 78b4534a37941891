"""Real host processes: started on demand, found, killed, stopped, and left alone."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.host.watcher import DEADLINE, Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.errors import HostError
from gemma_chat.host import client as client_module
from gemma_chat.host import launch as launch_module
from gemma_chat.host import link as link_module
from gemma_chat.host import status as status_module
from gemma_chat.host.client import HostClient
from gemma_chat.host.exits import EXIT_ALREADY_RUNNING, EXIT_OK, EXIT_UNUSABLE, EXIT_USAGE
from gemma_chat.host.framing import encode_frame, read_payload
from gemma_chat.host.launch import HostLaunch, connect_or_start, last_lines
from gemma_chat.host.link import HostLink
from gemma_chat.host.lock_file import LockFile
from gemma_chat.host.main import LOG_BYTES
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    GetStatus,
    Goodbye,
    OpenSession,
    Refused,
    Request,
    SaveDraft,
    SendMessage,
    StopHost,
)
from gemma_chat.host.status import host_status, stop_host
from gemma_chat.host.tenancy import is_claimed
from gemma_chat.terms import LinkPhase

HOST = [sys.executable, "-P", "-m", "gemma_chat.host.main"]


@pytest.fixture
def launch(paths: Paths) -> HostLaunch:
    # Should a test leave a host behind that nobody greets, it goes by itself.
    return HostLaunch(paths, ("--no-model", "--keep-alive", "5"))


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The host processes that were started."""
    spawn, spawned = launch_module._spawn, []

    def spawn_and_note(launch: HostLaunch) -> subprocess.Popen[bytes]:
        spawned.append(spawn(launch))
        return spawned[-1]

    monkeypatch.setattr(launch_module, "_spawn", spawn_and_note)
    return spawned


async def run_host(*arguments: str) -> tuple[int, str]:
    """Run a host until it ends by itself; its exit code and what it wrote."""
    host = await asyncio.create_subprocess_exec(*HOST, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await host.communicate()
    assert host.returncode is not None
    return host.returncode, said.decode()


@pytest.fixture
async def watcher(launch: HostLaunch) -> AsyncIterator[Watcher]:
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.snapshot()
    yield watcher
    await watcher.link.close()


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


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
async def test_after_a_kill_the_link_comes_back_with_everything(
    watcher: Watcher, by: signal.Signals
) -> None:
    """Case 19 of the session API: the host ends by a signal, and its tabs come back."""
    opened = await watcher.link.request(OpenSession(0, "Sea"))
    await watcher.link.request(SaveDraft(0, opened.session, "half a thought"))
    killed = watcher.kill_host(by)
    snapshot = await watcher.snapshot()
    [tab] = snapshot.sessions
    assert (tab.title, tab.draft) == ("Sea", "half a thought")
    assert watcher.link.host_pid not in (0, killed)
    assert [phase for phase, _ in watcher.phases] == [
        "connecting",
        "connected",
        "lost",
        "connecting",
        "connected",
    ]
    assert "ended unexpectedly" in watcher.phases[2][1]


async def test_requests_while_the_host_is_lost_fail_with_a_sentence(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (1000.0,))
    watcher.kill_host()
    await watcher.phase("lost")
    with pytest.raises(HostError, match="being started again"):
        await watcher.link.request(OpenSession(0))


async def test_a_request_in_flight_when_the_host_dies_fails(watcher: Watcher) -> None:
    os.kill(watcher.link.host_pid, signal.SIGSTOP)
    asking = asyncio.create_task(watcher.link.request(OpenSession(0)))
    await asyncio.sleep(0)
    watcher.kill_host()
    with pytest.raises(HostError):
        await asking


async def test_a_host_that_dies_again_and_again_is_started_again_and_its_last_words_are_named(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (0.0, 0.0, 0.01))
    for _ in range(4):
        watcher.kill_host()
        await watcher.snapshot()
    lost = [sentence for phase, sentence in watcher.phases if phase == "lost"]
    assert "being started again" in lost[1]
    assert "3 times within 60 seconds and is started again in 0.01 seconds" in lost[2]
    assert "host-output.log" in lost[3]
    assert watcher.link.state.phase == "connected"


async def test_who_does_not_want_to_wait_for_the_restart_asks_for_it(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "RESTART_DELAYS", (1000.0,))
    watcher.kill_host()
    await watcher.phase("lost")
    watcher.link.retry()
    await watcher.phase("connected")


async def test_a_host_that_could_not_start_is_started_by_itself_as_soon_as_it_can(
    paths: Paths, launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "START_AGAIN_DELAYS", (0.05,))
    paths.make_folders()
    settings = damage_settings(paths)
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.phase("failed")
    settings.unlink()
    await watcher.phase("connected")
    assert [phase for phase, _ in watcher.phases] == ["connecting", "failed", "connected"]
    await watcher.link.close()


async def test_a_host_that_was_told_to_stop_is_not_started_again_by_itself(
    watcher: Watcher, paths: Paths
) -> None:
    assert await stop_host(paths)
    await watcher.phase("failed")
    assert "told to stop" in watcher.link.state.sentence
    assert await host_status(paths) is None
    watcher.link.retry()
    await watcher.phase("connected")


async def test_without_a_model_a_question_stays_and_says_why(watcher: Watcher) -> None:
    session = (await watcher.link.request(OpenSession(0))).session
    await watcher.link.request(SendMessage(0, session, "hello"))
    await watcher.until(lambda: any("No model is loaded" in str(e) for e in watcher.events))


@pytest.mark.parametrize("request_", [StopHost(0)])
async def test_a_stop_is_answered(watcher: Watcher, request_: Request) -> None:
    await watcher.link.request(request_)
    await watcher.phase("failed")


async def test_a_closed_link_leaves_the_host_running(paths: Paths, launch: HostLaunch) -> None:
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.snapshot()
    await watcher.link.close()
    await watcher.link.close()
    assert await host_status(paths) is not None


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


def damage_database(paths: Paths) -> Path:
    paths.database.write_text("This is my diary, not a database.")
    return paths.database


def damage_settings(paths: Paths) -> Path:
    paths.settings_file.write_text("[host]\nkeep_alive = 'long'\n")
    return paths.settings_file


def put_a_file_in_place_of_the_lock(paths: Paths) -> Path:
    paths.lock_file.symlink_to("/dev/null")
    return paths.settings_file


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (damage_database, "is not a database"),
        (damage_settings, "keep_alive"),
        (put_a_file_in_place_of_the_lock, "cannot be opened"),
    ],
)
async def test_files_that_cannot_be_used_are_named_and_left_alone(
    paths: Paths, launch: HostLaunch, damage: Callable[[Paths], Path], sentence: str
) -> None:
    paths.make_folders()
    damaged = damage(paths)
    before = damaged.read_bytes() if damaged.exists() else b""
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.phase("failed")
    assert sentence in watcher.link.state.sentence
    assert "Traceback" not in watcher.link.state.sentence
    assert (damaged.read_bytes() if damaged.exists() else b"") == before
    await watcher.link.close()
    exit_code, said = await run_host("--no-model")
    assert exit_code == EXIT_UNUSABLE
    assert sentence in said


async def test_a_data_folder_that_cannot_be_made_is_named(paths: Paths, launch: HostLaunch) -> None:
    paths.config_dir.mkdir(parents=True)
    paths.data_dir.write_text("in the way")
    with pytest.raises(HostError, match="a file is in its place"):
        await connect_or_start(launch)
    assert paths.data_dir.read_text() == "in the way"


async def test_a_host_that_dies_while_starting_is_reported_with_its_last_words(
    paths: Paths,
) -> None:
    with pytest.raises(HostError, match=r"exit code 2.*unrecognized arguments: --no-such"):
        await connect_or_start(HostLaunch(paths, ("--no-such",)))
    assert EXIT_USAGE == 2


async def test_a_host_that_is_killed_while_starting_is_reported(
    paths: Paths, launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn = launch_module._spawn

    def spawn_and_kill(launch: HostLaunch) -> subprocess.Popen[bytes]:
        process = spawn(launch)
        process.kill()
        return process

    monkeypatch.setattr(launch_module, "_spawn", spawn_and_kill)
    with pytest.raises(HostError, match="killed by SIGKILL"):
        await connect_or_start(launch)


async def test_a_host_that_never_listens_is_not_waited_for_for_ever(
    paths: Paths,
    launch: HostLaunch,
    monkeypatch: pytest.MonkeyPatch,
    spawned: list[subprocess.Popen[bytes]],
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(launch_module, "START_SECONDS", 0.0)
        with pytest.raises(HostError, match="was not ready"):
            await connect_or_start(launch)
    [host] = spawned
    host.kill()


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


async def test_a_starter_that_stands_still_is_not_waited_for_when_its_host_is_up(
    paths: Paths, launch: HostLaunch
) -> None:
    paths.make_folders()
    held = LockFile.take(launch.start_lock)
    assert held is not None
    connecting = asyncio.create_task(connect_or_start(launch))
    host = await asyncio.create_subprocess_exec(*HOST, "--no-model")
    client = await connecting
    assert client.welcome.pid == host.pid
    held.release()
    await client.close()
    assert await stop_host(paths)
    await host.wait()


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


async def test_an_unforeseen_failure_of_the_link_is_told_and_it_tries_again(
    launch: HostLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(link_module, "connect_or_start", lambda *_, **__: 1 / 0)
        watcher = Watcher(launch)
        await watcher.link.start()
        await watcher.phase("failed")
    assert "not foreseen" in watcher.link.state.sentence
    watcher.link.retry()
    await watcher.phase("connected")
    await watcher.link.close()


async def test_a_listener_that_fails_does_not_end_the_link(launch: HostLaunch) -> None:
    connected = asyncio.Event()

    def fail(phase: LinkPhase, sentence: str) -> None:
        if phase == "connected":
            connected.set()
        raise RuntimeError("boom")

    link = HostLink(launch)
    link.listen(lambda event: None, fail)
    await link.start()
    async with asyncio.timeout(DEADLINE):
        await connected.wait()
    assert (await link.request(GetStatus(0))).clients == 0
    await link.close()


def test_last_lines_are_few_and_harmless(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n" * 9000 + b"\x1b[31mred\xff\n\n")
    assert last_lines(log, count=2) == "first | �[31mred�"
    assert last_lines(tmp_path / "absent") == ""
