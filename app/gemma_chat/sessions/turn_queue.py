"""Who runs next: the order of the generation lock, and nothing else.

Invariants, each a property test:

* a foreground turn runs before every background turn;
* within a lane, turns run in the order in which they asked, until a person moves one;
* a move exchanges two neighbours of one lane, and never two turns of one session: nobody is
  sent further back than one place, and no question is answered before the one it builds on;
* a turn that gave way keeps its place: it is the first of its lane again;
* taking a turn out changes nothing about the order of the others;
* two turns of one session never run at the same time, however many slots the engine has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, Literal, Protocol, TypeVar


class Waiting(Protocol):
    """What the queue must know of a turn."""

    @property
    def session(self) -> int:
        """Whose turn it is."""

    @property
    def background(self) -> bool:
        """Whether it runs only while no foreground turn waits."""


T = TypeVar("T", bound=Waiting)


class TurnQueue(Generic[T]):
    """The turns that wait for the lock, two lanes of first come, first served."""

    def __init__(self) -> None:
        self._foreground: deque[T] = deque()
        self._background: deque[T] = deque()

    def add(self, turn: T) -> int:
        """Put `turn` last in its lane; returns its position in the whole queue, from 1."""
        self._lane(turn).append(turn)
        return len(self._foreground) + (len(self._background) if turn.background else 0)

    def put_back(self, turn: T) -> int:
        """Return a turn that gave way to the head of its lane; returns its position, from 1."""
        self._lane(turn).appendleft(turn)
        return 1 + (len(self._foreground) if turn.background else 0)

    def take(self, running: Sequence[T] = ()) -> T | None:
        """Remove and return the turn that runs next beside those that run, or `None`."""
        busy = {turn.session for turn in running}
        for lane in (self._foreground, self._background):
            for turn in lane:
                if turn.session not in busy:
                    lane.remove(turn)
                    return turn
        return None

    def remove(self, turn: T) -> bool:
        """Take `turn` out of the queue; `False` when it does not wait there."""
        try:
            self._lane(turn).remove(turn)
        except ValueError:
            return False
        return True

    def move(self, turn: T, step: Literal[-1, 1]) -> T | None:
        """Exchange `turn` with the one before it (-1) or behind it (1); returns that one.

        `None`, and nothing is changed, where there is none in its lane or it is a turn of the same
        session.
        """
        lane = self._lane(turn)
        if turn not in lane:
            return None
        place = lane.index(turn)
        other = place + step
        if not 0 <= other < len(lane) or lane[other].session == turn.session:
            return None
        lane[place], lane[other] = lane[other], turn
        return lane[place]

    def clear(self) -> tuple[T, ...]:
        """Take all turns out, in the order in which they would have run."""
        turns = self.order
        self._foreground.clear()
        self._background.clear()
        return turns

    def giving_way(self, running: Sequence[T], *, slots: int) -> tuple[T, ...]:
        """Which of the turns that run have to let a person's turn in: those that began last.

        `running` are in the order in which they began.
        """
        busy = {turn.session for turn in running}
        ready = {turn.session for turn in self._foreground} - busy
        wanted = len(ready) - (slots - len(running))
        background = [turn for turn in reversed(running) if turn.background]
        return tuple(background[: max(0, wanted)])

    @property
    def order(self) -> tuple[T, ...]:
        """All waiting turns, in the order in which they will run."""
        return (*self._foreground, *self._background)

    def __len__(self) -> int:
        return len(self._foreground) + len(self._background)

    def _lane(self, turn: T) -> deque[T]:
        return self._background if turn.background else self._foreground
