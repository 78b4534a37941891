"""What the screen asks of its connection to the host, and where what arrives waits to be shown.

`gemma_chat.host.link.HostLink` is the real connection; tests put a scripted one in its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from gemma_chat.host.protocol import (
    AsideChanged,
    DownloadsChanged,
    Event,
    LockChanged,
    ModelChanged,
    Reply,
    Request,
    SummarizerChanged,
    TurnText,
)
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


_MORE_TO_COME = (
    TurnText, AsideChanged, LockChanged, ModelChanged, SummarizerChanged, DownloadsChanged
)  # fmt: skip
"""Of these more follow while a reply is written or a model is loaded; they can be collected."""


class Wake(Protocol):
    """Hears that something waits."""

    def __call__(self, *, pressing: bool) -> None:
        """Take it soon; at once, when it is `pressing`: a change that somebody has made."""


class Inbox:
    """Keeps what the link says until the screen takes it, many things at a time.

    The link may begin before there is a screen: nothing is lost. `wake` is called when something
    came into an empty inbox, and when the first thing came that is pressing.
    """

    def __init__(self, link: Link) -> None:
        self._waiting: deque[Event | tuple[LinkPhase, str]] = deque()
        self._wake: Wake = _nobody_waits
        self._is_pressing = False
        link.listen(self._put, lambda phase, sentence: self._put((phase, sentence)))

    def open(self, wake: Wake) -> None:
        """From now on call `wake`; at once when something waits already."""
        self._wake = wake
        if self._waiting:
            wake(pressing=self._is_pressing)

    def take(self) -> list[Event | tuple[LinkPhase, str]]:
        """Everything that waits, oldest first."""
        taken = list(self._waiting)
        self._waiting.clear()
        self._is_pressing = False
        return taken

    def _put(self, arrived: Event | tuple[LinkPhase, str]) -> None:
        self._waiting.append(arrived)
        pressing = not isinstance(arrived, _MORE_TO_COME)
        if len(self._waiting) == 1 or (pressing and not self._is_pressing):
            self._is_pressing = pressing
            self._wake(pressing=pressing)


def _nobody_waits(*, pressing: bool) -> None:
    """What an inbox calls before it is opened."""
