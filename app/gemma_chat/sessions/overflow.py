"""Who is told when exchanges leave the prompt of a session."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gemma_chat.sessions.events import TurnsDropped

log = logging.getLogger(__name__)

OverflowListener = Callable[[TurnsDropped], None]


class OverflowListeners:
    """The listeners of one session. One that fails is logged, and the others hear it still."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._listeners: list[OverflowListener] = []

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener` from now on; returns the way to stop that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def tell(self, event: TurnsDropped) -> None:
        """Call them all."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                log.exception("a listener of session %d failed", self._session)
