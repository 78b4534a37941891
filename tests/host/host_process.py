"""Running a host until it ends by itself."""

from __future__ import annotations

import asyncio
import sys

HOST = [sys.executable, "-P", "-m", "gemma_chat.host.main"]


async def run_host(*arguments: str) -> tuple[int, str]:
    """Run a host until it ends by itself; its exit code and what it wrote."""
    host = await asyncio.create_subprocess_exec(*HOST, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await host.communicate()
    assert host.returncode is not None
    return host.returncode, said.decode()
