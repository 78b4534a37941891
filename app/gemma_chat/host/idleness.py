"""When the host may go: nobody has been there and nothing has run for `keep_alive` seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

FIRST_CLIENT_SECONDS: Final = 30.0
"""A host that was just started waits at least this long for its first terminal."""


class Idleness:
    """Watches whether the host is needed and calls `on_idle` once when it has not been."""

    def __init__(self, keep_alive: float, on_idle: Callable[[], None]) -> None:
        """`keep_alive` in seconds; a negative one means for ever."""
        self._keep_alive = keep_alive
        self._on_idle = on_idle
        self._due: asyncio.TimerHandle | None = None
        self._seen = False

    def begin(self) -> None:
        """The host is up, and nobody has come yet."""
        self._wait(max(self._keep_alive, FIRST_CLIENT_SECONDS))

    def look(self, *, needed: bool) -> None:
        """Take note of whether a terminal is connected or a turn runs."""
        if needed:
            self._seen = True
            self.cancel()
        elif self._seen and self._due is None:
            self._wait(self._keep_alive)

    def cancel(self) -> None:
        """Stop counting."""
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _wait(self, seconds: float) -> None:
        if self._keep_alive >= 0:
            self._due = asyncio.get_running_loop().call_later(seconds, self._on_idle)
