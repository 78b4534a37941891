"""The event loop's clock in the hands of a test."""

from __future__ import annotations

import asyncio

import pytest

_TURNS = 12
"""Turns of the loop after which everything that was due has run."""


class Clock:
    """Goes as the real one does, and ahead when it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._real = loop.time
        self._ahead = 0.0
        patch.setattr(loop, "time", self.now)

    def now(self) -> float:
        """Seconds since some moment."""
        return self._real() + self._ahead

    async def pass_by(self, seconds: float) -> None:
        """Let time go by, and what becomes due meanwhile run."""
        self._ahead += seconds
        for _ in range(_TURNS):
            await asyncio.sleep(0)
