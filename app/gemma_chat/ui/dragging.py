"""Where a tab lands that is dragged along the tab bar. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Place = tuple[int, int, int]
"""Start and end cell of a visible label, and its session."""


def drop_place(
    order: Sequence[int], free: range, places: Sequence[Place], grabbed: int, edge: int
) -> int:
    """The place in `order` for the tab `grabbed` when its left edge is dragged to cell `edge`.

    Only places of `free` are given: pinned tabs stay before the others. What counts is how the
    bar would look without the grabbed tab, so that the answer does not move what it depends on.
    """
    others = [(end - start, session) for start, end, session in places if session != grabbed]
    if not others or not free:
        return order.index(grabbed)
    rest = [session for session in order if session != grabbed]
    place = rest.index(others[0][1])
    left = min(start for start, _, _ in places)
    for width, _ in others:
        if left + width / 2 >= edge:
            break
        left += width
        place += 1
    return max(free.start, min(place, free.stop - 1))
