"""The generation lock as everybody sees it: who generates, who waits, and every change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from gemma_chat.sessions.engine_thread import EngineThread
from gemma_chat.sessions.events import LockEntry, LockEvent, LockPicture

log = logging.getLogger(__name__)

LockListener = Callable[[LockEvent], None]


class GenerationLock:
    """One per model. One turn generates at a time; the others queue in the open.

    The lock of a server with several slots has as many holders.

    Foreground turns are first come, first served. Background turns run while no foreground turn
    waits and give way before their next step.

        print(model.lock.holder, len(model.lock.waiting))
    """

    def __init__(self, engine_thread: EngineThread) -> None:
        self._engine_thread = engine_thread
        self._listeners: list[LockListener] = []

    def picture(self) -> LockPicture:
        """Holders and waiting turns of one moment.

        Between two looks at `holders` and `waiting` a turn may go from one to the other; here it
        is in exactly one of them.

            print(model.lock.picture().is_free)
        """
        return self._engine_thread.picture()

    @property
    def holder(self) -> LockEntry | None:
        """The turn that generates now; of several, the one that began first."""
        holders = self.holders
        return holders[0] if holders else None

    @property
    def holders(self) -> tuple[LockEntry, ...]:
        """All turns that generate now, in the order in which they began."""
        return self.picture().holders

    @property
    def waiting(self) -> tuple[LockEntry, ...]:
        """The turns that wait, in the order in which they will run."""
        return self.picture().waiting

    def move(self, ticket: int, step: Literal[-1, 1]) -> bool:
        """Let a waiting turn exchange its place with the one before it (-1) or behind it (1).

        Only neighbours of one lane change places, and never two turns of one session. `False`
        when there is no such neighbour, or the turn waits no longer.

            model.lock.move(model.lock.waiting[-1].ticket, -1)
        """
        return self._engine_thread.move(ticket, step)

    def withdraw(self, ticket: int) -> bool:
        """Stop a turn, waiting or running; `False` when it has ended already.

        model.lock.withdraw(model.lock.waiting[0].ticket)
        """
        return self._engine_thread.withdraw(ticket)

    def subscribe(self, listener: LockListener) -> Callable[[], None]:
        """Call `listener` on the event loop for every transition; returns the way to stop that.

        Events come in the order in which things happened; `holder` and `waiting` may already be
        further than the event.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def publish(self, event: LockEvent) -> None:
        """Tell all listeners. One that raises is logged and does not disturb the others."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener of the generation lock failed")
