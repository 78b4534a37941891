"""What changes often is told seldom, and the last change always."""

from __future__ import annotations

import asyncio

from gemma_chat.host.throttle import Throttle


class Told:
    """Counts, and can be waited for."""

    def __init__(self) -> None:
        self.times = 0
        self._event = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self._event.set()

    async def again(self) -> None:
        self._event.clear()
        async with asyncio.timeout(10):
            await self._event.wait()


async def test_the_first_change_is_told_at_once_and_the_next_ones_together() -> None:
    told = Told()
    throttle = Throttle(0.01, told)
    for _ in range(100):
        throttle.soon()
    assert told.times == 1
    await told.again()
    assert told.times == 2


async def test_a_change_that_cannot_wait_takes_the_waiting_one_along() -> None:
    told = Told()
    throttle = Throttle(1000, told)
    throttle.soon()
    throttle.soon()
    throttle.now()
    assert told.times == 2
    throttle.soon()
    assert told.times == 2
    throttle.cancel()


async def test_after_cancel_nothing_is_told() -> None:
    told = Told()
    throttle = Throttle(0.001, told)
    throttle.soon()
    throttle.soon()
    throttle.cancel()
    throttle.cancel()
    later = Told()
    asyncio.get_running_loop().call_later(0.01, later)
    await later.again()
    assert told.times == 1
