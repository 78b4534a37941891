"""What a terminal holds: a connection to the host that comes back by itself.

The host is started when there is none and started again when it dies. After every connect the
host sends a `Snapshot`; a listener that applies it is up to date, whatever was missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from gemma_chat.errors import HostError
from gemma_chat.host.client import HostClient, HostRefusedError, unanswered
from gemma_chat.host.freshness import Freshness
from gemma_chat.host.launch import HostLaunch, connect_or_start
from gemma_chat.host.protocol import (
    Event,
    Leaving,
    LockChanged,
    ModelChanged,
    Reply,
    Request,
    Snapshot,
)
from gemma_chat.host.requests import Requester
from gemma_chat.terms import LinkPhase

DEATHS_WITHIN: Final = 60.0
RESTART_DELAYS: Final = (0.0, 0.0, 0.5, 2.0, 5.0)
"""Seconds to wait after the first, second, third, and every later death of the host within
`DEATHS_WITHIN`. What kills it again and again (a turn, a model) the host itself refuses to run."""
START_AGAIN_DELAYS: Final = (2.0, 5.0, 15.0, 60.0)
"""A host that could not be started (a full disk, a wrong settings file) is tried again after the
first, second, and so on of these seconds, and then after the last again and again."""
UNFORESEEN: Final = (
    "The connection to the host failed in a way that was not foreseen; the log of this terminal "
    "says why. It is tried again in a minute."
)
_FEW_DEATHS: Final = 2
"""So many are told as one is; after more, where to look for the reason."""
_LEAVING_SECONDS: Final = 0.2
"""A host that was met on its way out is asked for its successor after this."""

_log = logging.getLogger(__name__)


EventListener = Callable[[Event], None]
PhaseListener = Callable[[LinkPhase, str], None]


class LinkState(msgspec.Struct, frozen=True):
    """How the link stands.

    `connecting`: looking for the host or starting it. `connected`: requests are answered.
    `silent`: it is there and does not answer; requests wait, and the next word of it ends that.
    `lost`: the host is gone and will be started again by itself. `failed`: it was told to stop,
    wants another version, or cannot be started. The last is tried again every now and then;
    `HostLink.retry` tries all at once. `sentence` is for the person; empty when all is well.
    """

    phase: LinkPhase
    sentence: str = ""


class HostLink(Requester):
    """A lasting link to the host. All calls and callbacks are on the event loop's thread.

    A listener that raises is logged and does not end the link.
    """

    def __init__(self, launch: HostLaunch) -> None:
        """Prepare a link; `listen` to it, then `start` it."""
        self._launch = launch
        self._on_event: EventListener = _ignore_event
        self._on_phase: PhaseListener = _ignore_phase
        self._state = LinkState("connecting")
        self._client: HostClient | None = None
        self._freshness = Freshness()
        self._leaving: Leaving | None = None
        self._deaths: list[float] = []
        self._failures = 0
        """How often in a row the host could not be started."""
        self._again = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._is_computing = self._is_loading = False
        self._news_awaited = contextlib.ExitStack()
        """Open while the host has something to tell unasked."""

    @property
    def state(self) -> LinkState:
        """How the link stands now."""
        return self._state

    @property
    def host_pid(self) -> int:
        """The process of the connected host, or 0."""
        return self._client.welcome.pid if self._client is not None else 0

    def listen(self, on_event: EventListener, on_phase: PhaseListener) -> None:
        """Set who hears of everything that happens from now on; neither may wait.

        `on_event` gets every event that is not out of date, in the order of the host; `on_phase`
        gets phase and sentence of every change of `state`.
        """
        self._on_event = on_event
        self._on_phase = on_phase

    async def start(self) -> None:
        """Begin to connect; returns at once, what follows comes through the listeners."""
        if self._keeping is None:
            self._tell_phase()
            self._keeping = asyncio.create_task(self._keep(), name="host-link")

    def retry(self) -> None:
        """Try again now after `failed` or `lost`; in any other state does nothing."""
        if self._state.phase in ("failed", "lost"):
            self._again.set()

    async def close(self) -> None:
        """Let go of the host, which goes on by itself. Twice is fine."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping

    async def _exchange(self, request: Request) -> Reply:
        client = self._client
        if client is None:
            raise HostError(self._state.sentence or "The host is not connected yet.")
        return await client._exchange(request)

    async def _keep(self) -> None:
        while True:
            try:
                await self._one_connection()
            except HostRefusedError as error:
                if error.refused.leaving:
                    await asyncio.sleep(_LEAVING_SECONDS)
                else:
                    await self._fail(str(error))
            except HostError as error:
                delay = START_AGAIN_DELAYS[min(self._failures, len(START_AGAIN_DELAYS) - 1)]
                self._failures += 1
                await self._fail(str(error), seconds=delay)
            except Exception:
                _log.exception("the link failed")
                await self._fail(UNFORESEEN, seconds=START_AGAIN_DELAYS[-1])
            else:
                await self._outlive()

    async def _one_connection(self) -> None:
        """Connect, and return when the host is gone. Raises `HostError` when it cannot be had."""
        self._leaving = None
        why = self._state.sentence if self._state.phase == "lost" else ""
        if self._state.phase != "failed" or self._again.is_set():
            # What is tried again by itself is still out of order until it works.
            self._change(LinkState("connecting", why))
        self._freshness.expect_snapshot()
        launch = self._launch.again() if self._deaths else self._launch
        client = await connect_or_start(launch, listener=self._receive)
        self._client = client
        self._failures = 0
        client.silence.listen(partial(self._silent, client.welcome.pid))
        try:
            self._change(LinkState("connected"))
            _log.info("connected to host %d: ended by %s", client.welcome.pid, await client.ended())
        finally:
            self._client = None
            self._news_awaited.close()
            await client.close()

    async def _outlive(self) -> None:
        """The host is gone: wait until another one may be started."""
        if self._leaving is not None:
            await self._fail(f"The host has left: {self._leaving.reason}")
            return
        now = time.monotonic()
        self._deaths = [death for death in self._deaths if now - death < DEATHS_WITHIN] + [now]
        recent = len(self._deaths)
        delay = RESTART_DELAYS[min(recent, len(RESTART_DELAYS)) - 1]
        sentence = (
            "The host process ended unexpectedly; it is being started again. "
            "Replies are kept as far as they were written."
        )
        if recent > _FEW_DEATHS:
            sentence = (
                f"The host ended {recent} times within {DEATHS_WITHIN:.0f} seconds and is started "
                f"again in {delay:g} seconds. Its last words are in {self._launch.output}."
            )
        self._again.clear()
        self._change(LinkState("lost", sentence))
        await self._rest(delay)

    async def _fail(self, sentence: str, *, seconds: float | None = None) -> None:
        """Wait until somebody asks for another try, or for that long."""
        self._again.clear()
        self._change(LinkState("failed", sentence))
        await self._rest(seconds)

    async def _rest(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()

    def _silent(self, pid: int, silent: bool) -> None:
        sentence = unanswered(pid, self._launch.command)
        self._change(LinkState("silent", sentence) if silent else LinkState("connected"))

    def _receive(self, event: Event) -> None:
        if isinstance(event, Leaving):
            self._leaving = event
        if isinstance(event, Snapshot | LockChanged):
            self._is_computing = bool(event.lock.holders)
        if isinstance(event, Snapshot | ModelChanged):
            self._is_loading = event.model.phase == "loading"
        if isinstance(event, Snapshot | LockChanged | ModelChanged):
            self._await_news()
        if self._freshness.admits(event):
            self._on_event(event)

    def _await_news(self) -> None:
        """While somebody computes, or a model is loaded, the host has something to tell unasked."""
        self._news_awaited.close()
        if (self._is_computing or self._is_loading) and self._client is not None:
            self._news_awaited.enter_context(self._client.silence.awaiting())

    def _change(self, state: LinkState) -> None:
        if state != self._state:
            self._state = state
            self._tell_phase()

    def _tell_phase(self) -> None:
        try:
            self._on_phase(self._state.phase, self._state.sentence)
        except Exception:
            _log.exception("the listener failed on %s", self._state)


def _ignore_event(event: Event) -> None:
    """The event listener of a link nobody listens to."""


def _ignore_phase(phase: LinkPhase, sentence: str) -> None:
    """The phase listener of a link nobody listens to."""
