"""How a shell command reaches the conversations: through the host, or by itself when none runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from gemma_chat.cli.silence import say_silence
from gemma_chat.config.paths import Paths
from gemma_chat.host.client import HostAbsentError
from gemma_chat.host.protocol import Event
from gemma_chat.host.requests import Requester
from gemma_chat.host.status import connect_to_running

T = TypeVar("T")


@contextlib.asynccontextmanager
async def reached(
    paths: Paths, listener: Callable[[Event], None] | None = None
) -> AsyncIterator[Requester]:
    """Something that answers requests about the stored conversations, for the block.

    Raises `HostError` and `StoreError`.
    """
    hears = listener or _ignore
    try:
        client = await connect_to_running(paths, listener=hears)
    except HostAbsentError:
        # Heavy with the sessions and the store, and not needed when a host runs.
        from gemma_chat.host.local import local_host

        async with local_host(paths, listener=hears) as host:
            yield host
        return
    client.silence.listen(partial(say_silence, client.welcome.pid))
    try:
        yield client
    finally:
        await client.close()


def run(paths: Paths, work: Callable[[Requester], Coroutine[Any, Any, T]]) -> T:
    """Do `work` with a requester, on an event loop of its own."""

    async def within() -> T:
        async with reached(paths) as requester:
            return await work(requester)

    return asyncio.run(within())


def _ignore(event: Event) -> None:
    """Only answers count."""
