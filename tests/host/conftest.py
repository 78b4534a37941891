"""What tests of the host stand on: one in this process, or the files of one that is started."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.host.host_process import KEEP_ALIVE, kill_host_of
from tests.host.rig import Rig, Terminal, running
from tests.host.watcher import Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.host import launch as launch_module
from gemma_chat.host.launch import HostLaunch


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A host in this process, with a scripted engine."""
    async with running(tmp_path) as rig:
        yield rig


@pytest.fixture
async def terminal(rig: Rig) -> Terminal:
    """A terminal on it."""
    return await rig.connect()


@pytest.fixture
def paths(own_home: Path) -> Iterator[Paths]:
    """The files of a host of its own, which is killed should the test leave it behind."""
    paths = Paths.default()
    yield paths
    kill_host_of(paths)


@pytest.fixture
def launch(paths: Paths) -> HostLaunch:
    """How such a host is started, without a model."""
    # Should a test leave a host behind that nobody greets, it goes by itself.
    return HostLaunch(paths, ("--no-model", *KEEP_ALIVE))


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The host processes that were started."""
    spawn, spawned = launch_module._spawn, []

    def spawn_and_note(launch: HostLaunch) -> subprocess.Popen[bytes]:
        spawned.append(spawn(launch))
        return spawned[-1]

    monkeypatch.setattr(launch_module, "_spawn", spawn_and_note)
    return spawned


@pytest.fixture
async def watcher(launch: HostLaunch) -> AsyncIterator[Watcher]:
    """What a terminal knows of it, connected."""
    watcher = Watcher(launch)
    await watcher.link.start()
    await watcher.snapshot()
    yield watcher
    await watcher.link.close()
