"""Hosts that cannot start: each says why, and nobody waits for them for ever."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.host.host_process import HOST, run_host
from tests.host.watcher import Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.errors import HostError
from gemma_chat.host import launch as launch_module
from gemma_chat.host import link as link_module
from gemma_chat.host.exits import EXIT_UNUSABLE, EXIT_USAGE
from gemma_chat.host.launch import HostLaunch, connect_or_start, last_lines
from gemma_chat.host.lock_file import LockFile
from gemma_chat.host.status import stop_host


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


def test_last_lines_are_few_and_harmless(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n" * 9000 + b"\x1b[31mred\xff\n\n")
    assert last_lines(log, count=2) == "first | �[31mred�"
    assert last_lines(tmp_path / "absent") == ""
