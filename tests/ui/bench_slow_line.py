"""What the terminal costs a slow line: bytes for each token, and keys at 10 kB/s and 100 ms delay.

Run by hand: `python -m tests.ui.bench_slow_line`. The real program writes one reply of the real
model on a pseudo-terminal that is read at full speed, and then at 10 kB/s. Also measured: how
long a paste of 1 MB takes until its chip is on the screen.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import tempfile
import time

from tests.bench_terminal import (
    FIRST_PAINT_MARK,
    PROGRAM,
    QUESTION,
    Watcher,
    drain,
    settings_for,
)
from tests.ui.pty_terminal import PtyTerminal, on_terminal

from gemma_chat.config.paths import Paths
from gemma_chat.host.client import HostClient

BYTES_PER_SECOND = 10_000
DELAY = 0.1
TICK = 0.02
PASTE = "0123456789\r" * 95_000


def drain_slowly(terminal: PtyTerminal, seconds: float) -> None:
    """Take what is written no faster than the line carries it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        terminal._read(time.monotonic() + TICK, int(BYTES_PER_SECOND * TICK))
        time.sleep(TICK)


def echo_seconds(terminal: PtyTerminal, key: str) -> float:
    """From a key to its echo at the far end of the slow line."""
    time.sleep(DELAY)
    before = len(terminal.output)
    begin = time.perf_counter()
    terminal.send(key)
    while key.encode() not in terminal.output[before:]:
        drain_slowly(terminal, TICK)
    return time.perf_counter() - begin + 2 * DELAY


async def reply(home: str, *, slow: bool) -> tuple[float, float, list[float]]:
    """Bytes for each token, tokens per second, and seconds to the echo of keys meanwhile."""
    watcher = Watcher()
    take = drain_slowly if slow else drain
    echoes: list[float] = []
    with on_terminal(PROGRAM, {"GEMMA_CHAT_HOME": home}, (80, 24)) as terminal:
        terminal.until(FIRST_PAINT_MARK)
        drain(terminal, 3.0)
        client = await HostClient.connect(Paths.default().socket, listener=watcher.hear)
        terminal.send("\x14")
        drain(terminal, 0.7)
        before = len(terminal.output)
        terminal.send(QUESTION + "\r")
        letters = iter("αβγδεζηθικλμνξπρστυφχψω")
        while watcher.finished.empty():
            await asyncio.to_thread(take, terminal, 0.3)
            if slow and watcher.finished.empty() and len(echoes) < 12:
                echoes.append(await asyncio.to_thread(echo_seconds, terminal, next(letters)))
        done = await watcher.finished.get()
        drain(terminal, 0.5)
        await client.close()
        written = len(terminal.output) - before
        terminal.send("\x11")
        terminal.wait()
    tokens = done.metrics.generated_tokens
    return written / tokens, done.metrics.decode_tokens_per_second, echoes


def paste_seconds(home: str) -> float:
    """From the first byte of a paste of 1 MB until its chip is painted."""
    with on_terminal(PROGRAM, {"GEMMA_CHAT_HOME": home}, (80, 24)) as terminal:
        terminal.until(FIRST_PAINT_MARK)
        drain(terminal, 2.0)
        begin = time.perf_counter()
        terminal.paste(PASTE)
        terminal.until("pasted 95,001 lines")
        taken = time.perf_counter() - begin
        terminal.send("\x7f")
        drain(terminal, 1.0)
        terminal.send("\x11")
        terminal.wait()
    return taken


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["GEMMA_CHAT_HOME"] = home
        settings_for(home)
        for slow in (False, True):
            per_token, speed, echoes = asyncio.run(reply(home, slow=slow))
            print(
                f"{'10 kB/s' if slow else 'full speed'}: {per_token:.0f} bytes a token, "
                f"{speed:.1f} tok/s"
            )
            if echoes:
                print(
                    f"  key to echo, 100 ms delay each way: median {statistics.median(echoes):.2f}"
                    f" s, worst {max(echoes):.2f} s"
                )
        pastes = [paste_seconds(home) for _ in range(3)]
        print(f"paste of {len(PASTE) / 1e6:.2f} MB to its chip: {statistics.median(pastes):.3f} s")
        subprocess.run(["gemma-chat", "host", "stop"], check=False, capture_output=True)


if __name__ == "__main__":
    main()
