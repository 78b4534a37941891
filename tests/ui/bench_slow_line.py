"""What the terminal costs a slow line: bytes for each token, and keys at 10 kB/s and 100 ms delay.

Run by hand: `python -m tests.ui.bench_slow_line`. The real program writes one reply of the real
model on a pseudo-terminal that is relayed through a line as SSH over a bad network is: so many
bytes a second, a delay in each direction, and a buffer in between that takes what is written long
before it arrives. Over SSH the program sends only what differs (`terminal.slow_line`); beside it
stand the figures without that. Also measured: how long a paste of 1 MB takes until its chip is on
the screen.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field

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
BUFFER = 32_768
"""What sshd and the network take before a write has to wait."""
TICK = 0.005
PASTE = "0123456789\r" * 95_000
OVER_SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


@dataclass
class SlowLine:
    """Relays a pseudo-terminal. `arrived` is what the far end has seen."""

    terminal: PtyTerminal
    arrived: bytes = b""
    most_buffered: int = 0
    _buffer: deque[tuple[float, bytes]] = field(default_factory=deque)
    _keys: deque[tuple[float, str]] = field(default_factory=deque)
    _free_at: float = 0.0

    def type(self, key: str) -> None:
        """A key is pressed at the far end."""
        self._keys.append((time.monotonic() + DELAY, key))

    def relay(self, seconds: float) -> None:
        """Let pass what the line lets pass in this time."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            while self._keys and self._keys[0][0] <= now:
                self.terminal.send(self._keys.popleft()[1])
            while self._buffer and self._buffer[0][0] <= now:
                self.arrived += self._buffer.popleft()[1]
            self._read(now)

    def _read(self, now: float) -> None:
        buffered = sum(len(piece) for due, piece in self._buffer if due - DELAY > now)
        self.most_buffered = max(self.most_buffered, buffered)
        if buffered >= BUFFER:
            time.sleep(TICK)
            return
        before = len(self.terminal.output)
        self.terminal._read(now + TICK, BUFFER - buffered)
        written = self.terminal.output[before:]
        for at in range(0, len(written), 64):
            piece = written[at : at + 64]
            self._free_at = max(now, self._free_at) + len(piece) / BYTES_PER_SECOND
            self._buffer.append((self._free_at + DELAY, piece))

    def echo_seconds(self, key: str) -> float:
        """From a key to its echo, both at the far end."""
        begin, before = time.monotonic(), len(self.arrived)
        self.type(key)
        while key.encode() not in self.arrived[before:]:
            self.relay(TICK)
        return time.monotonic() - begin


@dataclass(frozen=True)
class Measured:
    """One reply over the line."""

    bytes_per_token: float
    tokens_per_second: float
    echoes: tuple[float, ...]
    most_buffered: int


async def reply(home: str, environment: dict[str, str]) -> Measured:
    """One reply, with keys typed meanwhile."""
    watcher = Watcher()
    echoes: list[float] = []
    with on_terminal(PROGRAM, {"GEMMA_CHAT_HOME": home, **environment}, (80, 24)) as terminal:
        terminal.until(FIRST_PAINT_MARK)
        drain(terminal, 3.0)
        client = await HostClient.connect(Paths.default().socket, listener=watcher.hear)
        terminal.send("\x14")
        drain(terminal, 0.7)
        before = len(terminal.output)
        line = SlowLine(terminal)
        terminal.send(QUESTION + "\r")
        letters = iter("αβγδεζηθικλμνξπρστυφχψω")
        while watcher.finished.empty():
            await asyncio.to_thread(line.relay, 0.3)
            if watcher.finished.empty() and len(echoes) < 12:
                echoes.append(await asyncio.to_thread(line.echo_seconds, next(letters)))
        done = await watcher.finished.get()
        await asyncio.to_thread(line.relay, 0.5)
        await client.close()
        written = len(terminal.output) - before
        terminal.send("\x11")
        terminal.wait()
    metrics = done.metrics
    return Measured(
        written / metrics.generated_tokens,
        metrics.decode_tokens_per_second,
        tuple(echoes),
        line.most_buffered,
    )


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
        for name, environment in (("all of it", {}), ("what differs", OVER_SSH)):
            measured = asyncio.run(reply(home, environment))
            print(
                f"{name}: {measured.bytes_per_token:.0f} bytes a token at "
                f"{measured.tokens_per_second:.1f} tok/s, at most {measured.most_buffered} bytes "
                "on the way"
            )
            echoes = measured.echoes
            if echoes:
                print(
                    f"  key to echo, {2 * DELAY:.1f} s of it delay: median "
                    f"{statistics.median(echoes):.2f} s, worst {max(echoes):.2f} s"
                )
        pastes = [paste_seconds(home) for _ in range(3)]
        print(f"paste of {len(PASTE) / 1e6:.2f} MB to its chip: {statistics.median(pastes):.3f} s")
        subprocess.run(["gemma-chat", "host", "stop"], check=False, capture_output=True)


if __name__ == "__main__":
    main()
