"""What saving a reply while it streams costs: tokens per second with and without.

Run by hand: `python tests/host/bench_streaming_saves.py [SECONDS]`. The host's service on the real
model writes replies; within each of them saves are on for a second, off for a second, and so on,
so that whatever else the machine does meets both. Printed is the median, over all seconds with
saves, of their tokens beside those of the seconds before and after. With `--slow-disk` every save
waits 300 ms for the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench_terminal import QUESTION, model

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host.local import local_host
from gemma_chat.host.protocol import (
    Event,
    GetStatus,
    OpenSession,
    SendMessage,
    StopTurn,
    TurnFinished,
    TurnText,
)
from gemma_chat.host.requests import Requester
from gemma_chat.store.records import Aside
from gemma_chat.store.store import Store

SETTINGS = SessionSettings(
    sampling=SamplingSettings(temperature=0.9, random_seed=None, max_output_tokens=900)
)
WINDOW = 1.0
DISK_SECONDS = 0.3


class Switch:
    """Lets saves through, or not, and counts them."""

    def __init__(self) -> None:
        self.on = True
        self.saves = 0
        self._save = Store.save_reply

    def save_reply(
        self, store: Store, message: int, turn: int, text: str, asides: Sequence[Aside]
    ) -> Future[None]:
        """In the place of the store's."""
        if self.on:
            self.saves += 1
            return self._save(store, message, turn, text, asides)
        done: Future[None] = Future()
        done.set_result(None)
        return done


class Watcher:
    """Knows when a reply begins and ends."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.finished = asyncio.Event()

    def hear(self, event: Event) -> None:
        if isinstance(event, TurnText):
            self.begun.set()
        elif isinstance(event, TurnFinished):
            self.finished.set()


async def generated(host: Requester) -> int:
    """How many tokens the reply under way has; 0 when there is none."""
    holder = (await host.request(GetStatus(0))).lock.holder
    return 0 if holder is None or holder.background else holder.generated


async def windows(host: Requester, watcher: Watcher, switch: Switch, most: float) -> list[float]:
    """Tokens per second of each whole window of one reply, with saves in the first, third, …"""
    rates: list[float] = []
    while not watcher.finished.is_set() and len(rates) < most:
        switch.on = len(rates) % 2 == 0
        before, begin = await generated(host), time.perf_counter()
        await asyncio.sleep(WINDOW)
        passed, after = time.perf_counter() - begin, await generated(host)
        if not watcher.finished.is_set() and after:
            rates.append((after - before) / passed)
    return rates


async def measure(seconds: float, switch: Switch) -> None:
    """Measure and print."""
    with_saves: list[float] = []
    without: list[float] = []
    ratios: list[float] = []
    watcher = Watcher()
    async with local_host(Paths.default(), listener=watcher.hear, model=model()) as host:
        while WINDOW * (len(with_saves) + len(without)) < seconds:
            watcher.begun.clear()
            watcher.finished.clear()
            session = (await host.request(OpenSession(0, settings=SETTINGS))).session
            await host.request(SendMessage(0, session, QUESTION))
            await watcher.begun.wait()
            most = seconds / WINDOW - len(with_saves) - len(without)
            rates = await windows(host, watcher, switch, max(most, 3))
            await host.request(StopTurn(0, session))
            await watcher.finished.wait()
            with_saves += rates[::2]
            without += rates[1::2]
            for place in range(2, len(rates) - 1, 2):
                ratios.append(2 * rates[place] / (rates[place - 1] + rates[place + 1]))
    print(
        f"{statistics.median(with_saves):.1f} tok/s with saves, {statistics.median(without):.1f} "
        f"without; beside its neighbours {statistics.median(ratios):.3f} "
        f"({len(ratios)} windows, {switch.saves} saves)"
    )


def main() -> None:
    """Measure in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("seconds", nargs="?", type=float, default=80.0)
    parser.add_argument("--slow-disk", action="store_true")
    given = parser.parse_args()
    fsync, switch = os.fsync, Switch()

    def slow(descriptor: int) -> None:
        time.sleep(DISK_SECONDS)
        fsync(descriptor)

    def save(
        store: Store, message: int, turn: int, text: str, asides: Sequence[Aside]
    ) -> Future[None]:
        return switch.save_reply(store, message, turn, text, asides)

    with (
        tempfile.TemporaryDirectory() as home,
        patch.object(Store, "save_reply", save),
        patch.object(os, "fsync", slow if given.slow_disk else fsync),
        patch.dict(os.environ, {"GEMMA_CHAT_HOME": home}),
    ):
        asyncio.run(measure(given.seconds, switch))


if __name__ == "__main__":
    main()
