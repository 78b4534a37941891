"""What the exports of other programs have in common: a tree of messages with one branch shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gemma_chat.errors import ExchangeError

MAX_MESSAGES: Final = 200_000


def branch(
    nodes: Mapping[str, Mapping[str, Any]], end: object, parent_of: Callable[[Any], object]
) -> list[Mapping[str, Any]]:
    """The nodes from the first to `end`, found by walking up. Raises `ExchangeError` on a ring."""
    found = []
    seen: set[object] = set()
    at: object = end
    while isinstance(at, str) and at in nodes:
        if at in seen or len(seen) > MAX_MESSAGES:
            raise ExchangeError("its messages follow each other in a ring.")
        seen.add(at)
        found.append(nodes[at])
        at = parent_of(nodes[at])
    return found[::-1]


def text_or_empty(value: object) -> str:
    """`value` when it is text, else nothing."""
    return value if isinstance(value, str) else ""


def seconds(value: object, per_second: float = 1.0) -> float:
    """A time since the epoch in seconds; 0 when `value` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        found = float(value) / per_second
    except OverflowError:
        return 0.0
    return found if 0 <= found < 1e11 else 0.0
