"""How measurements say that they get on."""

from __future__ import annotations

from collections.abc import Callable

Tick = Callable[[], None]
"""One round is done."""
