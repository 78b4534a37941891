"""Something that holds a link, as a terminal does, and remembers what it heard."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.link import HostLink
from gemma_chat.host.protocol import Event, Snapshot, TurnText
from gemma_chat.terms import LinkPhase

DEADLINE = 120.0
"""Seconds after which a wait that should have ended counts as a failed test."""


class Watcher:
    """Listens to a link."""

    def __init__(self, launch: HostLaunch) -> None:
        self.link = HostLink(launch)
        self.events: list[Event] = []
        self.phases: list[tuple[LinkPhase, str]] = []
        self._changed = asyncio.Event()
        self.link.listen(self._hear, self._see)

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def _see(self, phase: LinkPhase, sentence: str) -> None:
        self.phases.append((phase, sentence))
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def phase(self, phase: LinkPhase) -> None:
        await self.until(lambda: self.link.state.phase == phase)

    async def snapshot(self) -> Snapshot:
        """Wait for the first snapshot from now on."""
        known = len(self.events)
        await self.until(lambda: any(isinstance(e, Snapshot) for e in self.events[known:]))
        return next(e for e in self.events[known:] if isinstance(e, Snapshot))

    @property
    def since_connected(self) -> list[Event]:
        """The events of the newest connection, from its snapshot on."""
        starts = [n for n, event in enumerate(self.events) if isinstance(event, Snapshot)]
        return self.events[starts[-1] :] if starts else []

    def heard(self, session: int, turn: int) -> str:
        """The text of a reply as it came in events."""
        return "".join(
            event.text
            for event in self.events
            if isinstance(event, TurnText) and (event.session, event.turn) == (session, turn)
        )

    def kill_host(self, by: signal.Signals = signal.SIGKILL) -> int:
        pid = self.link.host_pid
        os.kill(pid, by)
        return pid
