"""When streamed text is painted.

At most 30 times a second; less often beneath another screen, where a paint costs three times as
much, and when painting is slow, so that it never takes more than a quarter of the loop's time; not
at all while the terminal has not taken what was painted before.
"""

from __future__ import annotations

from typing import Any

from textual.app import App

PERIOD = 1 / 30
"""Seconds from one paint of streamed text to the next."""
COVERED_PERIOD = 1 / 8
"""The same while another screen lies above."""

_LARGEST_SHARE = 0.25
_MAX_QUEUED_WRITES = 2


def is_terminal_behind(app: App[Any]) -> bool:
    """The terminal (a slow line) has not taken the last frames yet.

    Textual's writer blocks the event loop when its queue is full, so it must never become so.
    """
    writer = getattr(app._driver, "_writer_thread", None)
    return writer is not None and writer._queue.qsize() > _MAX_QUEUED_WRITES


def pause_after(cost: float, period: float = PERIOD) -> float:
    """Seconds to wait after a paint that took `cost` seconds."""
    return max(period - cost, cost * (1 / _LARGEST_SHARE - 1))
