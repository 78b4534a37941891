"""Where a session with a sliding window can go back to: copies of its window at turn boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gemma_chat.engine.state_bytes import StateBytes

_MOST = 7
"""Of one session: its newest turn boundaries, some older ones, and its beginning."""
_NEWEST = 4
"""Turn boundaries (two a turn) that are kept in any case."""


class Point(Protocol):
    """How far a checkpoint reaches."""

    @property
    def length(self) -> int:
        """After how many tokens it was taken."""

    @property
    def first(self) -> int:
        """The first position it holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The sliding-window part alone, after `length` tokens; it holds positions from `first` on."""

    length: int
    first: int
    state: StateBytes


PointT = TypeVar("PointT", bound=Point)


def way_back(points: Sequence[PointT], keep: int, edge: int) -> PointT | None:
    """The one to go back to `keep` tokens with, or else to most of them; `points` grow.

    `edge` is the last position that may be the first one held for going on after `keep`.
    """
    exact = (point for point in points if point.length >= keep and point.first <= edge)
    below = (point for point in reversed(points) if point.length < keep)
    return next(exact, None) or next(below, None)


def thin(points: list[Checkpoint]) -> None:
    """Drop checkpoints in the middle: the further back, the less of them is left.

    The beginning stays, for all that lies within the window, and so do the newest ones. Of the
    others that one goes which is missed least: what has to be evaluated again without it is the
    smallest part of what has come since.
    """
    while len(points) > _MOST:
        end = points[-1].length
        middle = range(1, len(points) - _NEWEST)
        least = min(
            middle,
            key=lambda at: (
                (points[at + 1].length - points[at - 1].length) / (end - points[at].length)
            ),
        )
        del points[least]
