"""The event loop's clock in the hands of a test."""

from __future__ import annotations

import asyncio

import pytest

_TURNS = 12
"""Turns of the loop after which everything that was due has run."""


class Clock:
    """Stands still, however long the machine takes, and goes ahead when it is told to.

    What waits for a time waits for the test; what waits for a thread or a socket does not.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        patch.setattr(loop, "time", self.now)

    def now(self) -> float:
        """Seconds since some moment."""
        return self._now

    async def pass_by(self, seconds: float) -> None:
        """Let time go by, and what becomes due meanwhile run."""
        self._now += seconds
        for _ in range(_TURNS):
            await asyncio.sleep(0)
