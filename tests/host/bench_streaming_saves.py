"""What saving a reply while it streams costs: tokens per second with and without.

Run by hand: `python tests/host/bench_streaming_saves.py [ROUNDS]`. The host's service on the real
model writes the same reply again and again, in turns with saves every half second and with none
but the last one; medians and the ratio of each pair are printed. With `--slow-disk` every save
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
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench_terminal import QUESTION, model

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host import saving
from gemma_chat.host.local import local_host
from gemma_chat.host.protocol import Event, OpenSession, SendMessage, TurnFinished
from gemma_chat.host.requests import Requester

TOKENS = 250
SETTINGS = SessionSettings(
    sampling=SamplingSettings(temperature=0.7, random_seed=1, max_output_tokens=TOKENS)
)
NEVER = 1e9
DISK_SECONDS = 0.3


async def reply(
    host: Requester, finished: asyncio.Queue[TurnFinished], save_seconds: float
) -> float:
    """Tokens per second of one reply in a tab of its own."""
    with patch.object(saving, "SAVE_SECONDS", save_seconds):
        session = (await host.request(OpenSession(0, settings=SETTINGS))).session
        await host.request(SendMessage(0, session, QUESTION))
        return (await finished.get()).metrics.decode_tokens_per_second


async def measure(rounds: int) -> None:
    """Measure and print."""
    finished: asyncio.Queue[TurnFinished] = asyncio.Queue()

    def hear(event: Event) -> None:
        if isinstance(event, TurnFinished):
            finished.put_nowait(event)

    every = saving.SAVE_SECONDS
    pairs: list[tuple[float, float]] = []
    async with local_host(Paths.default(), listener=hear, model=model()) as host:
        await reply(host, finished, every)
        for number in range(rounds):
            # The one that comes first changes, so that nothing that drifts favours one of them.
            order = (every, NEVER) if number % 2 else (NEVER, every)
            speeds = {seconds: await reply(host, finished, seconds) for seconds in order}
            pairs.append((speeds[every], speeds[NEVER]))
            print(f"{speeds[every]:.1f} tok/s with saves, {speeds[NEVER]:.1f} without")
    with_saves, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"medians: {with_saves:.1f} with, {without:.1f} without; of each pair {ratio:.3f}")


def main() -> None:
    """Measure in a home of its own."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rounds", nargs="?", type=int, default=8)
    parser.add_argument("--slow-disk", action="store_true")
    given = parser.parse_args()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(DISK_SECONDS)
        fsync(descriptor)

    with (
        tempfile.TemporaryDirectory() as home,
        patch.object(os, "fsync", slow if given.slow_disk else fsync),
        patch.dict(os.environ, {"GEMMA_CHAT_HOME": home}),
    ):
        asyncio.run(measure(given.rounds))


if __name__ == "__main__":
    main()
