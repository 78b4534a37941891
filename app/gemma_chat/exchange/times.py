"""Times as a person writes them."""

from __future__ import annotations

from datetime import datetime


def written(moment: float) -> str:
    """A time since the epoch as the local date and time; empty when it cannot be."""
    try:
        return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, OSError, ValueError):
        return ""
