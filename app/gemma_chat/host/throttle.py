"""Things that change often and are told seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Throttle:
    """Calls `tell` at most once in `interval` seconds, and never misses the last change."""

    def __init__(self, interval: float, tell: Callable[[], None]) -> None:
        self._interval = interval
        self._tell = tell
        self._told = float("-inf")
        self._due: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Something changed: tell now if the last time is long enough ago, else when it is."""
        if self._due is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._told + self._interval - loop.time()
        if wait <= 0:
            self.now()
        else:
            self._due = loop.call_later(wait, self.now)

    def now(self) -> None:
        """Something changed that cannot wait."""
        self.cancel()
        self._told = asyncio.get_running_loop().time()
        self._tell()

    def cancel(self) -> None:
        """Forget a change that was not told yet."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
