"""What the screen asks of its connection to the host, and where what arrives waits to be shown.

`gemma_chat.host.link.HostLink` is the real connection; tests put a scripted one in its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from gemma_chat.host.protocol import Event, Reply, Request
from gemma_chat.terms import LinkPhase

EventListener = Callable[[Event], None]
PhaseListener = Callable[[LinkPhase, str], None]


class Link(Protocol):
    """A connection that is kept: it starts the host on demand, and again after it died."""

    def listen(self, on_event: EventListener, on_phase: PhaseListener) -> None:
        """Call these, on the event loop's thread, for everything that happens from now on."""

    async def start(self) -> None:
        """Begin to connect; returns at once, what follows comes through the listeners."""

    async def request(self, request: Request) -> Reply:
        """Ask the host; the `id` of `request` is chosen by the link. Raises `HostError`."""

    def retry(self) -> None:
        """Try again after the link gave up."""

    async def close(self) -> None:
        """Let go of the connection; the host goes on."""


class Inbox:
    """Keeps what the link says until the screen takes it, many things at a time.

    The link may begin before there is a screen: nothing is lost. `wake` is called once when
    something came into an empty inbox.
    """

    def __init__(self, link: Link) -> None:
        self._waiting: deque[Event | tuple[LinkPhase, str]] = deque()
        self._wake: Callable[[], None] = _nobody_waits
        link.listen(self._put, lambda phase, sentence: self._put((phase, sentence)))

    def open(self, wake: Callable[[], None]) -> None:
        """From now on call `wake`; at once when something waits already."""
        self._wake = wake
        if self._waiting:
            wake()

    def take(self) -> list[Event | tuple[LinkPhase, str]]:
        """Everything that waits, oldest first."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def _put(self, arrived: Event | tuple[LinkPhase, str]) -> None:
        self._waiting.append(arrived)
        if len(self._waiting) == 1:
            self._wake()


def _nobody_waits() -> None:
    """What an inbox calls before it is opened."""
