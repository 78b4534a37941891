"""Whether a host that should say something still can.

A request may take long, and nothing is wrong with that; a host that was stopped, or hangs, says
nothing either. What tells them apart is a second connection: a host that lives greets it at once,
whatever it is at work on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

SILENT_SECONDS: Final = 3.0
"""A host that something is awaited from is looked at when it has said nothing for so long."""


class Silence:
    """Watches one connection, while something is awaited from it."""

    def __init__(self, greets: Callable[[], Awaitable[bool]]) -> None:
        """`greets` tells whether the host answers another client, and never raises."""
        self._greets = greets
        self._on_change: Callable[[bool], None] = _nobody_asks
        self._awaited = 0
        self._heard_at = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self.is_silent = False
        """The host does not answer now, as far as that is known."""

    def listen(self, on_change: Callable[[bool], None]) -> None:
        """Call this with every change of `is_silent` from now on."""
        self._on_change = on_change

    @contextlib.contextmanager
    def awaiting(self) -> Iterator[None]:
        """Within the block the host is expected to say something sooner or later."""
        loop = asyncio.get_running_loop()
        if not self._awaited:
            self._heard_at = max(self._heard_at, loop.time())
        self._awaited += 1
        if self._due is None and self._looking is None:
            self._due = loop.call_later(SILENT_SECONDS, self._look)
        try:
            yield
        finally:
            self._awaited -= 1

    def heard(self) -> None:
        """The host has said something."""
        self._heard_at = asyncio.get_running_loop().time()
        self._set(silent=False)

    def close(self) -> None:
        """Watch no longer."""
        if self._due is not None:
            self._due.cancel()
        if self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        self._due = None
        if not self._awaited:
            return
        loop = asyncio.get_running_loop()
        left = self._heard_at + SILENT_SECONDS - loop.time()
        if left > 0:
            self._due = loop.call_later(left, self._look)
        else:
            self._looking = loop.create_task(self._ask(), name="host-silence")

    async def _ask(self) -> None:
        heard_at = self._heard_at
        greets = await self._greets()
        self._looking = None
        if self._awaited and heard_at == self._heard_at:
            self._set(silent=not greets)
        if self._awaited:
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(SILENT_SECONDS, self._look)

    def _set(self, *, silent: bool) -> None:
        if silent != self.is_silent:
            self.is_silent = silent
            self._on_change(silent)


def _nobody_asks(silent: bool) -> None:
    """Nobody wants to know whether the host answers."""
