"""How long a crash of the engine keeps people waiting, and what it costs: measured.

Design: the terminal is usable at once, the model is back after its load time plus one second, the
reply in flight is kept and marked, and its continuation is one key away.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unittest.mock import patch

from tests.faults.machine import SETTINGS
from tests.host.watcher import Watcher

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host import link
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.protocol import (
    ContinueReply,
    FetchMessages,
    ModelChanged,
    OpenSession,
    SendMessage,
    Snapshot,
    StopTurn,
    TurnFinished,
)
from gemma_chat.host.status import stop_host

STORY: Final = SessionSettings(
    system_instruction="Tell long stories.",
    sampling=SamplingSettings(temperature=0.0, max_output_tokens=300),
)
_HEARD: Final = 40


@dataclass(frozen=True, slots=True)
class Recovery:
    """One crash in the middle of a reply. Times in seconds from the signal."""

    usable: float
    """Until requests are answered again, by a host that has all tabs."""
    back: float
    """Until the model is loaded."""
    heard: int
    """Characters of the reply that were on the screen."""
    kept: int
    """Characters of it that are stored."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A first start without a crash, and the crashes. Times in seconds."""

    load: float
    """Loading the model, as its view in the terminal tells it."""
    crashes: tuple[Recovery, ...]

    @property
    def table(self) -> str:
        """What is printed."""
        allowed = self.load + 1.0
        back = statistics.median(one.back for one in self.crashes)
        lines = [
            f"model load                {self.load:6.2f} s",
            f"terminal usable, median   {statistics.median(c.usable for c in self.crashes):6.2f} s",
            f"model back, median        {back:6.2f} s",
            f"model back, worst         {max(one.back for one in self.crashes):6.2f} s",
            f"allowed (load + 1 s)      {allowed:6.2f} s",
            f"ratio back / allowed      {back / allowed:6.2f}",
        ]
        lines += [f"reply kept {one.kept} of {one.heard} characters" for one in self.crashes]
        return "\n".join(lines)


async def measure(model: Path, crashes: int) -> Measured:
    """Crash the host `crashes` times in mid-reply; each reply is continued afterwards.

    The pauses that a terminal makes when deaths follow each other are left out: here they do.
    """
    paths = Paths.default()
    paths.make_folders()
    paths.settings_file.write_text(SETTINGS)
    # The first start on a machine tries the model in a child process; that is not measured.
    watcher = Watcher(HostLaunch.of_profile(model=model))
    await watcher.link.start()
    await _ready(watcher)
    await _restart(watcher, paths)
    load = await _load_seconds(watcher)
    try:
        with patch.object(link, "RESTART_DELAYS", (0.0,)):
            found = [await _crash(watcher) for _ in range(crashes)]
    finally:
        await watcher.link.close()
        await stop_host(paths)
    return Measured(load, tuple(found))


async def _restart(watcher: Watcher, paths: Paths) -> None:
    await stop_host(paths)
    await watcher.phase("failed")
    watcher.events.clear()
    watcher.link.retry()


async def _load_seconds(watcher: Watcher) -> float:
    await watcher.until(lambda: bool(watcher.since_connected))
    began = time.monotonic()
    await _ready(watcher)
    return time.monotonic() - began


async def _ready(watcher: Watcher) -> None:
    await watcher.until(
        lambda: any(
            isinstance(event, ModelChanged | Snapshot) and event.model.phase == "ready"
            for event in watcher.since_connected
        )
    )


async def _crash(watcher: Watcher) -> Recovery:
    host = watcher.link
    tab = (await host.request(OpenSession(0, settings=STORY))).session
    turn = (await host.request(SendMessage(0, tab, "Tell a story about the sea."))).turn
    await watcher.until(lambda: len(watcher.heard(tab, turn)) > _HEARD)
    watcher.kill_host(signal.SIGSEGV)
    struck = time.monotonic()
    await watcher.phase("lost")
    await watcher.snapshot()
    reply = (await host.request(FetchMessages(0, tab))).messages[-1]
    usable = time.monotonic() - struck
    await _ready(watcher)
    back = time.monotonic() - struck
    assert (reply.role, reply.state) == ("assistant", "interrupted")
    heard = watcher.heard(tab, turn)
    # What was saved and what was told go two ways: either may have come further.
    assert heard.startswith(reply.text) or reply.text.startswith(heard)
    await _go_on(watcher, tab, reply.message, reply.text)
    return Recovery(usable, back, len(heard), len(reply.text))


async def _go_on(watcher: Watcher, tab: int, message: int, kept: str) -> None:
    """What the key for it does: the reply goes on behind what was kept."""
    turn = (await watcher.link.request(ContinueReply(0, tab, message))).turn
    await watcher.until(lambda: bool(watcher.heard(tab, turn)))
    await watcher.link.request(StopTurn(0, tab, turn))
    await watcher.until(
        lambda: any(
            isinstance(event, TurnFinished) and (event.session, event.turn) == (tab, turn)
            for event in watcher.events
        )
    )
    longer = (await watcher.link.request(FetchMessages(0, tab))).messages[-1]
    assert longer.message == message
    assert len(longer.text) > len(kept)
    assert longer.text.startswith(kept)


def main(model: Path, crashes: int) -> None:
    """Measure and print."""
    print(asyncio.run(measure(model, crashes)).table)
