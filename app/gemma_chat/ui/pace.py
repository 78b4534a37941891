"""When the screen takes what has arrived: often enough to look live, never more than it can show.

Tokens come faster than anybody reads, and over a slow line faster than the terminal draws. What
waits meanwhile is shown with the next frame. A change that a person has made does not wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.timer import Timer

SECONDS_BETWEEN = 1 / 30
WAIT_FOR_LINE = 0.05
MOST_WRITES_WAITING = 2
"""With more output than this unsent, another frame would only delay the next key's echo."""


class Pace:
    """Calls `take` soon after `wake`: for what is not pressing at most thirty times a second."""

    def __init__(
        self, app: App[Any], take: Callable[[], None], seconds_between: float = SECONDS_BETWEEN
    ) -> None:
        self._app = app
        self._seconds_between = seconds_between
        self._take = take
        self._due = False
        self._pressing = False
        self._taken_at = 0.0
        self._timer: Timer | None = None

    def wake(self, *, pressing: bool) -> None:
        """Something waits to be taken. May be called from any task of the loop."""
        if self._due and (self._pressing or not pressing):
            return
        self._due = True
        self._pressing = pressing
        # Textual's timers and widgets work only in a task of the app's.
        self._app.call_later(self._schedule)

    def _schedule(self) -> None:
        if not self._due:
            # What was collected has been taken since, and this with it.
            return
        pause = 0.0 if self._pressing else self._seconds_between
        self._in(self._taken_at + pause - time.monotonic())

    def _in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if seconds > 0:
            self._timer = self._app.set_timer(seconds, self._now)
        else:
            self._now()

    def _now(self) -> None:
        if _writes_waiting(self._app) > MOST_WRITES_WAITING:
            self._in(WAIT_FOR_LINE)
            return
        self._due = self._pressing = False
        self._taken_at = time.monotonic()
        self._take()


def _writes_waiting(app: App[Any]) -> int:
    """How much output waits for the terminal; Textual 8.2 has no public name for it."""
    writer = getattr(app._driver, "_writer_thread", None)
    queue = getattr(writer, "_queue", None)
    return queue.qsize() if queue is not None else 0
