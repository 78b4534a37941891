"""How a shell command reaches the conversations: through the host, or by itself when none runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from gemma_chat.cli.silence import say_silence
from gemma_chat.cli.waiting import when_free
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

    Waits while another command has them. Raises `HostError` and `StoreError`.
    """
    async with contextlib.AsyncExitStack() as stack:
        yield await when_free(paths, partial(_entered, stack, paths, listener or _ignore))


async def _entered(
    stack: contextlib.AsyncExitStack, paths: Paths, listener: Callable[[Event], None]
) -> Requester:
    """The host or what stands in for it, left with `stack`; raises `AlreadyRunningError`."""
    try:
        client = await connect_to_running(paths, listener=listener)
    except HostAbsentError:
        # Heavy with the sessions and the store, and not needed when a host runs.
        from gemma_chat.host.local import local_host

        return await stack.enter_async_context(local_host(paths, listener=listener))
    stack.push_async_callback(client.close)
    client.silence.listen(partial(say_silence, client.welcome.pid))
    return client


def run(paths: Paths, work: Callable[[Requester], Coroutine[Any, Any, T]]) -> T:
    """Do `work` with a requester, on an event loop of its own."""

    async def within() -> T:
        async with reached(paths) as requester:
            return await work(requester)

    return asyncio.run(within())


def _ignore(event: Event) -> None:
    """Only answers count."""
