"""The way from the engine thread to the event loop: in order, in batches, without waiting.

One wake-up of the loop is under way at most. Whatever is posted until it runs travels with it, so
a fast model costs the loop no more wake-ups than it can take.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Outbox(Generic[T]):
    """Hands items to `deliver`, which runs on the loop and gets whole batches."""

    def __init__(self, deliver: Callable[[list[T]], None]) -> None:
        self._deliver = deliver
        self._items: deque[T] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake_up_pending = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on `loop` from now on; what was posted before is delivered there too."""
        if self._loop is loop:
            return
        self._loop = loop
        self._wake_up_pending = False
        if self._items:
            self._wake_up()

    def post(self, *items: T) -> None:
        """Hand over these items, in one batch. From any thread."""
        self._items.extend(items)
        if not self._wake_up_pending:
            self._wake_up()

    def _wake_up(self) -> None:
        if self._loop is None:
            return
        self._wake_up_pending = True
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:
            # The loop was closed while its model was not. Nobody is left to be told.
            log.debug("an event loop was closed before its model")

    def _drain(self) -> None:
        # Cleared first: what is posted from here on is either in this batch or wakes again.
        self._wake_up_pending = False
        batch: list[T] = []
        while self._items:
            batch.append(self._items.popleft())
        if batch:
            self._deliver(batch)
