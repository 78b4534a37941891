"""The gate before every step of a scripted engine."""

from __future__ import annotations

import asyncio
import threading

DEADLINE = 60.0
"""Seconds after which a wait that should have ended counts as a failed test."""


class Gate:
    """Where every step waits for the test's leave. Open at first: steps pass freely."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = True
        self._allowed = 0
        self._waiting = 0

    def hold(self) -> None:
        """From now on a step waits until it is allowed."""
        with self._changed:
            self._open = False
            self._allowed = 0

    def open(self) -> None:
        """Let every step pass again."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def allow(self, steps: int = 1) -> None:
        """Let this many steps pass."""
        with self._changed:
            self._allowed += steps
            self._changed.notify_all()

    async def reached(self, steps: int = 1) -> None:
        """Wait until so many steps stand at the gate with no leave to pass."""
        await asyncio.to_thread(self.wait_until_reached, steps)

    def wait_until_reached(self, steps: int = 1) -> None:
        """As `reached`, for a test without a loop."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._waiting >= steps and not self._allowed, DEADLINE
            ):
                raise TimeoutError("No step came to the gate.")

    async def let_pass(self, steps: int) -> None:
        """Let exactly this many steps pass, and return when the next one stands at the gate."""
        self.allow(steps)
        await self.reached()

    def enter(self, interrupted: threading.Event) -> None:
        """Called by a step: wait for leave, or for the interruption of this run."""
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                passed = self._changed.wait_for(
                    lambda: self._open or self._allowed or interrupted.is_set(), DEADLINE * 2
                )
                if not passed:
                    raise TimeoutError("A step was never let through the gate.")
                if not self._open and not interrupted.is_set():
                    self._allowed -= 1
            finally:
                self._waiting -= 1

    def wake(self) -> None:
        """An interruption came: look again."""
        with self._changed:
            self._changed.notify_all()
