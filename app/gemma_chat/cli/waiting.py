"""What a shell command does while another program has the conversations, and no host is reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gemma_chat.cli.output import say
from gemma_chat.config.paths import Paths
from gemma_chat.host.tenancy import AlreadyRunningError, read_tenant

UNSAID_SECONDS: Final = 1.0
"""Most commands are done before that, and so are hosts that begin or leave."""
_LOOK_AGAIN_SECONDS: Final = 0.05

T = TypeVar("T")


async def when_free(paths: Paths, attempt: Callable[[], Awaitable[T]]) -> T:
    """What `attempt` gives, made again as long as it raises `AlreadyRunningError`.

    That somebody has to be waited for is said once.
    """
    say_it_at = time.monotonic() + UNSAID_SECONDS
    is_said = False
    while True:
        try:
            return await attempt()
        except AlreadyRunningError:
            if not is_said and time.monotonic() >= say_it_at:
                say(_sentence(paths))
                is_said = True
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _sentence(paths: Paths) -> str:
    tenant = read_tenant(paths.lock_file)
    whose = f" (pid {tenant.pid})" if tenant is not None else ""
    return (
        f"Another gemma-chat{whose} works with the conversations alone. This command goes on when "
        "that one has ended; Ctrl+C gives up."
    )
