"""Real hosts: run until they end by themselves, and not left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from gemma_chat.config.paths import Paths
from gemma_chat.host.tenancy import is_claimed, read_tenant

KEEP_ALIVE = ("--keep-alive", "60")
"""Longer than a busy machine takes from one terminal to the next; a host that a failed test leaves
behind goes by itself all the same."""

HOST = [sys.executable, "-P", "-m", "gemma_chat.host.main"]


async def run_host(*arguments: str) -> tuple[int, str]:
    """Run a host until it ends by itself; its exit code and what it wrote."""
    host = await asyncio.create_subprocess_exec(*HOST, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await host.communicate()
    assert host.returncode is not None
    return host.returncode, said.decode()


def kill_host_of(paths: Paths) -> None:
    """End the host with these files, if there is one."""
    tenant = read_tenant(paths.lock_file)
    if tenant is not None and is_claimed(paths.lock_file):
        # It may be on its way out.
        with contextlib.suppress(ProcessLookupError):
            os.kill(tenant.pid, signal.SIGKILL)
