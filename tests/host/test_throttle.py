"""What changes often is told seldom, and the last change always."""

from __future__ import annotations

import pytest
from tests.host.clock import Clock

from gemma_chat.host.throttle import Throttle


class Told:
    """Counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


async def test_the_first_change_is_told_at_once_and_the_next_ones_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, told = Clock(monkeypatch), Told()
    throttle = Throttle(0.5, told)
    for _ in range(100):
        throttle.soon()
    await clock.pass_by(0.4)
    assert told.times == 1
    await clock.pass_by(0.2)
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


async def test_after_cancel_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = Clock(monkeypatch), Told()
    throttle = Throttle(0.5, told)
    throttle.soon()
    throttle.soon()
    throttle.cancel()
    throttle.cancel()
    await clock.pass_by(10.0)
    assert told.times == 1
