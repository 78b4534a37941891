"""Trees of messages with one branch shown, as exports of this and other programs have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.transcript import parent_of

MAX_MESSAGES: Final = 200_000
MAX_BRANCHES: Final = 10_000
"""Of messages that follow the same one, which are counted whenever one of them is read."""


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


def check_branches(places: Sequence[tuple[int | None, bool]]) -> None:
    """Raise `ExchangeError` unless these, each the parent and `chosen` of a `Line`, are a tree.

    A message follows one that stands before it, so none is missing and there is no ring; and of
    those that follow the same one, exactly one is chosen.
    """
    if len(places) > MAX_MESSAGES:
        raise ExchangeError(
            f"a conversation has {len(places):,} messages; at most {MAX_MESSAGES:,} are read. "
            "Split it."
        )
    chosen: dict[int, int] = {}
    branches: Counter[int] = Counter()
    for place, (named, is_chosen) in enumerate(places, start=1):
        parent = parent_of(named, place)
        if not 0 <= parent < place:
            raise ExchangeError(
                f"message {place} follows message {parent}, which does not stand before it. "
                "Export the conversation again."
            )
        chosen[parent] = chosen.get(parent, 0) + is_chosen
        branches[parent] += 1
        if branches[parent] > MAX_BRANCHES:
            raise ExchangeError(
                f"more than {MAX_BRANCHES:,} messages follow message {parent}. Leave some out."
            )
    for parent, count in chosen.items():
        if count != 1:
            behind = (
                f"that follow message {parent}" if parent else "that a conversation begins with"
            )
            raise ExchangeError(
                f"of the messages {behind}, {count} are chosen; exactly one has to be. Export the "
                "conversation again."
            )


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
