"""Small windows: from which size on the screen is drawn another way.

A screen that is small gets the class `-narrow` or `-low`. Screens of ordinary size have neither,
so that the styles of the first paint need not be worked out twice.
"""

from __future__ import annotations

from typing import Any

from textual.geometry import Size
from textual.screen import Screen

NARROW = 72
"""Below this many columns a side panel takes the place of the transcript."""
LOW = 16
"""Below this many rows borders are left out, and the status bar has one row."""


def mark_size(screen: Screen[Any], size: Size) -> None:
    """Give the screen the classes of its size."""
    screen.set_class(size.width < NARROW, "-narrow")
    screen.set_class(size.height < LOW, "-low")
