"""Many terminals on one host, some of them frozen: how long a key takes to its screen.

Run by hand: `python tests/bench_many_terminals.py [--terminals 20] [--frozen 3] [--replies 3]`.
Real programs on pseudo-terminals, one real host and the real model. All terminals show the tab in
which replies are written; the frozen ones are stopped by SIGSTOP in the middle of the first. While
the replies are written one key after the other is typed into the terminals that live, in turns.

Printed are the median and the 95th percentile from key to echo, the tokens per second of the
replies, which processes the time of the processors went to, and the memory of the host.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bench_terminal import FIRST_PAINT_MARK, PROGRAM, QUESTION, Watcher, settings_for
from tests.ui.pty_terminal import PtyTerminal, on_terminal

from gemma_chat.config.paths import Paths
from gemma_chat.host.client import HostClient

SIZE = (120, 40)
BETWEEN_KEYS = 0.12
PATIENCE = 60.0
LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩбгджзийлптуфцчшщэюя"


class Desk:
    """All terminals, read all the time: one that is not read would stop its program."""

    def __init__(self, terminals: Sequence[PtyTerminal]) -> None:
        self.terminals = tuple(terminals)
        self._by_descriptor = {one._master: one for one in terminals}
        self._poll = select.epoll()
        for descriptor in self._by_descriptor:
            self._poll.register(descriptor, select.EPOLLIN)

    def read(self, seconds: float) -> None:
        """Take what is written within so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read_once(left)

    def _read_once(self, most: float) -> None:
        for descriptor, _ in self._poll.poll(most):
            with contextlib.suppress(OSError):
                terminal = self._by_descriptor[descriptor]
                terminal.output = terminal.output[-20_000:] + os.read(descriptor, 65536)

    def until(self, terminal: PtyTerminal, text: str) -> None:
        """Read until `text` stands in what this terminal wrote."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in terminal.output:
            assert time.monotonic() < deadline, f"{text!r} never came: {terminal.output[-500:]!r}"
            self._read_once(0.1)

    def echo(self, terminal: PtyTerminal, key: str) -> float:
        """Seconds from a key to its echo."""
        terminal.output = b""
        begin = time.perf_counter()
        terminal.send(key)
        self.until(terminal, key)
        return time.perf_counter() - begin


@contextlib.contextmanager
def opened(home: str, count: int) -> Iterator[Desk]:
    """So many terminals that have painted and are connected."""
    with contextlib.ExitStack() as stack:
        terminals: list[PtyTerminal] = []
        for _ in range(count):
            environment = {"GEMMA_CHAT_HOME": home}
            terminals.append(stack.enter_context(on_terminal(PROGRAM, environment, SIZE)))
            terminals[-1].until(FIRST_PAINT_MARK)
        desk = Desk(terminals)
        desk.read(3.0)
        try:
            yield desk
        finally:
            for pid in [pid for one in terminals for pid in one.children()]:
                # A stopped program would not notice that its supervisor is gone.
                os.kill(pid, signal.SIGKILL)


def freeze(terminal: PtyTerminal) -> None:
    """Stop all processes of a terminal; nobody hears of it."""
    for pid in (terminal.pid, *terminal.children()):
        os.kill(pid, signal.SIGSTOP)


def processor_seconds(pids: Sequence[int]) -> float:
    """What these processes have used of the processors."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            times = psutil.Process(pid).cpu_times()
            total += times.user + times.system
    return total


async def replies(desk: Desk, frozen: int, count: int) -> None:
    """Let replies be written while keys are typed; print what was measured."""
    asking, living = desk.terminals[0], desk.terminals[: len(desk.terminals) - frozen]
    watcher = Watcher()
    client = await HostClient.connect(Paths.default().socket, listener=watcher.hear)
    host = client.welcome.pid
    programs = [pid for one in living for pid in (one.pid, *one.children())]
    keys: list[float] = []
    speeds: list[float] = []
    used, passed, typed = [0.0, 0.0, 0.0], 0.0, 0
    for number in range(count):
        asking.send(QUESTION + "\r")
        await asyncio.to_thread(desk.read, 1.0)
        if number == 0:
            for one in desk.terminals[len(living) :]:
                freeze(one)
        begin = time.monotonic()
        before = [processor_seconds([host]), processor_seconds(programs), time.process_time()]
        while watcher.finished.empty():
            terminal = living[typed % len(living)]
            letter = LETTERS[typed // len(living) % len(LETTERS)]
            typed += 1
            taken = await asyncio.to_thread(desk.echo, terminal, letter)
            if watcher.finished.empty():
                keys.append(taken)
            await asyncio.to_thread(desk.read, BETWEEN_KEYS)
        after = [processor_seconds([host]), processor_seconds(programs), time.process_time()]
        used = [one + end - start for one, start, end in zip(used, before, after, strict=True)]
        passed += time.monotonic() - begin
        speeds.append((await watcher.finished.get()).metrics.decode_tokens_per_second)
    await client.close()
    p95 = statistics.quantiles(keys, n=20)[18]
    print(
        f"{len(desk.terminals)} terminals, {frozen} frozen: {len(keys)} keys, to screen median "
        f"{statistics.median(keys) * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms, "
        f"worst {max(keys) * 1000:.1f} ms"
    )
    shares = [f"{seconds / passed:.2f}" for seconds in used]
    print(
        f"  {statistics.median(speeds):.1f} tok/s; processors in use: host {shares[0]}, living "
        f"terminals {shares[1]}, this measurement {shares[2]}; "
        f"host memory {psutil.Process(host).memory_info().rss / 1e6:.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--terminals", type=int, default=20)
    parser.add_argument("--frozen", type=int, default=3)
    parser.add_argument("--replies", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["GEMMA_CHAT_HOME"] = home
        settings_for(home)
        with opened(home, given.terminals) as desk:
            asyncio.run(replies(desk, given.frozen, given.replies))
        subprocess.run(
            [sys.executable, "-m", "gemma_chat.cli.main", "host", "stop"],
            check=False,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
