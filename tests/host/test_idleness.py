"""When the host goes by itself, and when it does not."""

from __future__ import annotations

import asyncio

import pytest
from tests.host.rig import DEADLINE

from gemma_chat.host import idleness
from gemma_chat.host.idleness import Idleness


class Host:
    """Notes that it was told to go."""

    def __init__(self, keep_alive: float) -> None:
        self.gone = asyncio.Event()
        self.idleness = Idleness(keep_alive, self.gone.set)

    async def goes(self) -> bool:
        async with asyncio.timeout(DEADLINE):
            return await self.gone.wait()

    async def stays(self) -> bool:
        """Whether it is still there when every timer that is due has run."""
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(0.005, done.set)
        await done.wait()
        return not self.gone.is_set()


async def test_it_goes_when_it_is_needed_no_more() -> None:
    host = Host(0)
    host.idleness.begin()
    host.idleness.look(needed=True)
    assert await host.stays()
    host.idleness.look(needed=False)
    assert await host.goes()


async def test_a_terminal_that_comes_back_in_time_keeps_it() -> None:
    host = Host(0.001)
    host.idleness.look(needed=True)
    host.idleness.look(needed=False)
    host.idleness.look(needed=True)
    assert await host.stays()


async def test_looking_again_does_not_begin_to_count_anew() -> None:
    host = Host(0.02)
    host.idleness.look(needed=True)
    host.idleness.look(needed=False)
    for _ in range(5):
        host.idleness.look(needed=False)
    assert await host.goes()


async def test_a_new_host_waits_for_its_first_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(0)
    host.idleness.begin()
    host.idleness.look(needed=False)
    assert await host.stays()
    host.idleness.cancel()
    monkeypatch.setattr(idleness, "FIRST_CLIENT_SECONDS", 0.0)
    host.idleness.begin()
    assert await host.goes()


async def test_with_a_negative_time_it_never_goes() -> None:
    host = Host(-1)
    host.idleness.begin()
    host.idleness.look(needed=True)
    host.idleness.look(needed=False)
    assert await host.stays()
