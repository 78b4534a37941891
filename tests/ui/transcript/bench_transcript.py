"""What a token costs in a conversation of 0, 100, 1,000 and 20,000 messages, how long one of
10,000 takes to open, and what a search in it takes. Run by hand:

    python tests/ui/transcript/bench_transcript.py [open]

CPU time of the process, from the text coming in to the escape sequences going out, one paint a
token; printed as milliseconds and as a ratio against the empty conversation.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter, process_time

from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot

from gemma_chat.host.protocol import MessageView, ScrollPosition
from gemma_chat.ui.themes import window_colours
from gemma_chat.ui.transcript import Transcript

SIZE = (120, 40)
TOKENS = 40
COUNTS = (0, 100, 1_000, 20_000)
PARAGRAPH = "A paragraph with **bold**, `code` and enough words to be wrapped at least once. "
KINDS = {
    "prose": "words and " * 30 + "\n\n",
    "list": "- an item of a list with some words in it\n",
    "code": "def double(number: int) -> int: return number * 2\n",
    "table": "| a cell | another cell | 42 |\n",
}
OPENINGS = {"code": "```python\n", "table": "| a | b | c |\n|---|---|---|\n"}


class RenderingDriver(HeadlessDriver):
    """Lets the app render everything and throws it away."""

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written = getattr(self, "written", 0) + len(data)


class BenchApp(App[None]):
    def get_css_variables(self) -> dict[str, str]:
        return super().get_css_variables() | window_colours(self.current_theme)

    def compose(self) -> ComposeResult:
        yield Transcript()


def history(count: int) -> list[MessageView]:
    return [
        MessageView(
            number + 1,
            number // 2,
            "assistant" if number % 2 else "user",
            PARAGRAPH * 5 + "\n\n- one\n- two\n",
            "complete",
            0.0,
        )
        for number in range(count)
    ]


async def token_cost(pilot: Pilot[None], count: int, kind: str, streamed: int) -> float:
    """Median CPU milliseconds of a token of four characters."""
    transcript = pilot.app.query_one(Transcript)
    text = OPENINGS.get(kind, "") + KINDS[kind] * (streamed // len(KINDS[kind]) + 1)
    reply = MessageView(count + 1, count, "assistant", text, "streaming", 0.0)
    transcript.show([*history(count), reply], ScrollPosition(), key=(count, kind))
    await pilot.pause()
    costs = []
    for start in range(0, TOKENS * 4, 4):
        piece = (KINDS[kind] * 40)[start : start + 4]
        began = process_time()
        transcript.append(reply.message, len(text), piece)
        transcript._flush()
        await asyncio.sleep(0.034)
        costs.append(process_time() - began)
        text += piece
    return statistics.median(costs) * 1_000


async def resize_cost(pilot: Pilot[None], count: int) -> float:
    """CPU milliseconds of one change of the width."""
    transcript = pilot.app.query_one(Transcript)
    transcript.show(history(count), ScrollPosition(), key=("resize", count))
    await pilot.pause()
    began = process_time()
    transcript._rows.set_width(87)
    transcript._settle()
    cost = process_time() - began
    transcript._rows.set_width(transcript._painter.text_width)
    return cost * 1_000


async def opening(pilot: Pilot[None]) -> None:
    """Wall time from all 10,000 messages to the painted screen, and of a search through them."""
    transcript = pilot.app.query_one(Transcript)
    messages = history(10_000)
    began = perf_counter()
    transcript.show(messages, ScrollPosition(), key="open")
    await pilot.pause()
    report(f"open    10000 messages  {(perf_counter() - began) * 1_000:6.1f} ms")
    began = perf_counter()
    transcript.search("bold")
    first = perf_counter()
    report(f"search  10000 messages  {(first - began) * 1_000:6.1f} ms to the first match")
    slowest = 0.0
    finder = transcript._finder
    assert finder is not None
    while True:
        start = perf_counter()
        more = finder.read_on()
        slowest = max(slowest, perf_counter() - start)
        if not more:
            break
    report(
        f"search  10000 messages  {perf_counter() - first:6.1f} s until all are counted "
        f"({finder.count}), in slices of at most {slowest * 1_000:.0f} ms"
    )
    transcript.search("")


async def measure(pilot: Pilot[None]) -> None:
    await opening(pilot)
    for kind in KINDS:
        empty = 0.0
        for count in COUNTS:
            cost = await token_cost(pilot, count, kind, 2_000)
            empty = empty or cost
            report(f"{kind:6} {count:6} messages  {cost:5.2f} ms/token  ratio {cost / empty:4.2f}")
    for streamed in (200, 5_000, 20_000):
        for kind in KINDS:
            cost = await token_cost(pilot, 0, kind, streamed)
            report(f"{kind:6} {streamed:6} characters streamed  {cost:5.2f} ms/token")
    for count in COUNTS:
        report(f"resize {count:6} messages  {await resize_cost(pilot, count):6.1f} ms")


def report(line: str) -> None:
    # The app has taken sys.stdout.
    print(line, file=sys.__stdout__, flush=True)


def run(bench: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    async def pilot(running: Pilot[None]) -> None:
        await bench(running)
        running.app.exit()

    app = BenchApp(driver_class=RenderingDriver)
    asyncio.run(app.run_async(size=SIZE, auto_pilot=pilot))


if __name__ == "__main__":
    run(opening if sys.argv[1:] == ["open"] else measure)
