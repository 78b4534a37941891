"""What tests of the host stand on: one in this process, or the files of one that is started."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.host.rig import Rig, Terminal, running

from gemma_chat.config.paths import Paths
from gemma_chat.host.tenancy import is_claimed, read_tenant


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
    tenant = read_tenant(paths.lock_file)
    if tenant is not None and is_claimed(paths.lock_file):
        os.kill(tenant.pid, signal.SIGKILL)
