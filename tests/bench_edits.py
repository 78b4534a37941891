"""How long a change made in one terminal takes until the others show it.

Run by hand: `python tests/bench_edits.py [--terminals 2] [--rounds 10] [--idle]`. Real programs on
pseudo-terminals, one real host and the real model, which writes a long reply in another tab all
the time unless `--idle` is given. One terminal acts; all show the same tab.

Printed are, for each kind of change, the median, the 95th percentile and the worst time from the
key that makes the change until the last of the other terminals shows it. Beside it stands how long
the terminal that acts takes to show it itself: what the way over the other one costs is the
difference.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bench_terminal import FIRST_PAINT_MARK, PROGRAM, settings_for
from tests.ui.pty_terminal import on_terminal
from tests.ui.wall import REST, SIZE, Screen, Wall

from gemma_chat.config.paths import Paths
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host.client import HostClient
from gemma_chat.host.protocol import (
    CloseSession,
    Event,
    FetchMessages,
    ImportConversation,
    ImportedMessage,
    OpenSession,
    ReopenSession,
    SendMessage,
    SessionChanged,
    SessionClosed,
    StopTurn,
    TurnFinished,
    TurnText,
)

TARGET: Final = 0.1
STORY: Final = SessionSettings(sampling=SamplingSettings(temperature=0.9, max_output_tokens=1500))
TAB_ROW: Final = 0
CURSOR: Final = "▌"

ENTER: Final = "\r"
ESCAPE: Final = "\x1b"
ALT_UP: Final = "\x1b[1;3A"
LEFT: Final = "\x1b[D"
TO_THE_LEFT: Final = "\x1b[1;4D"
TO_THE_RIGHT: Final = "\x1b[1;4C"
SETTINGS: Final = "\x1bOR"
ERASE_LINE: Final = "\x15"


class Writer:
    """Keeps a long reply going in a tab of its own, and prepares the tabs that are changed."""

    def __init__(self) -> None:
        self.client: HostClient
        self._tab = 0
        self._open: set[int] = set()
        self._speaking = asyncio.Event()
        self._ended = asyncio.Event()

    @classmethod
    async def connect(cls) -> Writer:
        writer = cls()
        writer.client = await HostClient.connect(Paths.default().socket, listener=writer._hear)
        return writer

    def _hear(self, event: Event) -> None:
        if isinstance(event, SessionChanged):
            self._open.add(event.view.session)
        if isinstance(event, SessionClosed):
            self._open.discard(event.session)
        if getattr(event, "session", 0) != self._tab:
            return
        if isinstance(event, TurnText):
            self._speaking.set()
        if isinstance(event, TurnFinished):
            self._ended.set()

    async def speak(self) -> None:
        """Begin another long reply, in a tab of its own."""
        self._tab = (await self.client.request(OpenSession(0, "story", STORY))).session
        self._speaking.clear()
        self._ended.clear()
        await self.client.request(SendMessage(0, self._tab, "Tell me a very long story."))
        await self._speaking.wait()

    @property
    def speaks(self) -> bool:
        """Whether the reply is still being written."""
        return self._speaking.is_set() and not self._ended.is_set()

    async def talk(self, number: int) -> int:
        """A tab with three exchanges."""
        messages = [
            message
            for place in (1, 2, 3)
            for message in (
                ImportedMessage("user", f"question {number}-{place}"),
                ImportedMessage("assistant", f"reply {number}-{place}"),
            )
        ]
        title = f"talk {number}"
        imported = await self.client.request(ImportConversation(0, title, tuple(messages)))
        return (await self.client.request(ReopenSession(0, imported.session))).session

    async def close_all(self) -> None:
        """Close all tabs but that of the long reply."""
        for session in self._open - {self._tab}:
            await self.client.request(CloseSession(0, session))

    async def withdraw(self, session: int) -> None:
        """End the oldest turn of a tab."""
        await self.client.request(StopTurn(0, session, 0))

    async def waits(self, session: int) -> bool:
        """Whether the last message of a tab waits to be answered."""
        messages = (await self.client.request(FetchMessages(0, session, limit=1))).messages
        return bool(messages) and messages[-1].state == "queued"


Times = defaultdict[str, list[tuple[float, float]]]


class Round:
    """All changes once, in a tab of their own."""

    def __init__(self, wall: Wall, number: int, times: Times) -> None:
        self._wall = wall
        self._number = number
        self._times = times

    def _time(self, name: str, key: str, holds: Callable[[Screen], bool]) -> None:
        self._times[name].append(self._wall.time(key, holds))

    def _shows(self, name: str, key: str, text: str) -> None:
        self._time(name, key, lambda screen: text in screen.shown)

    def _is_gone(self, name: str, key: str, text: str) -> None:
        self._time(name, key, lambda screen: text not in screen.shown)

    def _select(self, text: str) -> None:
        """Put the cursor on the message that has this text, from below."""
        acting = self._wall.acting
        while text not in (before := _selected(acting)):
            self._wall.type(ALT_UP)
            self._wall.until(partial(_is_not_on, before), acting)
            # A frame that is read in parts shows the cursor nowhere, or half of its message.
            self._wall.read(REST)

    def tab_bar(self) -> None:
        """A title, and the order."""
        old, new = f"talk {self._number}", f"named {self._number}"
        self._wall.type(f"/title {new}")
        self._wall.shows(f"/title {new}", self._wall.acting)
        self._time("rename", ENTER, lambda screen: new in screen.text[TAB_ROW])

        def stands_first(screen: Screen) -> bool:
            bar = screen.text[TAB_ROW]
            return new in bar and bar.index(new) < bar.index("story")

        is_first = stands_first(self._wall.acting)
        there, back = (TO_THE_RIGHT, TO_THE_LEFT) if is_first else (TO_THE_LEFT, TO_THE_RIGHT)
        self._time("reorder", there, lambda screen: stands_first(screen) is not is_first)
        self._time("reorder", back, lambda screen: stands_first(screen) is is_first)
        assert old not in self._wall.acting.text[TAB_ROW]

    def settings(self) -> None:
        """A number in the settings, whose panel is open everywhere else."""
        others = self._wall.screens[1:]
        for screen in others:
            screen.terminal.send(SETTINGS)
        self._wall.shows("emperature", *others)
        self._wall.read(REST)
        value = f"1.{self._number:02}3"
        self._wall.type(f"/temperature {value}")
        self._wall.shows(f"/temperature {value}", self._wall.acting)
        begin = time.perf_counter()
        self._wall.type(ENTER)
        at = self._wall.until(lambda screen: value in screen.shown, *others)
        self._times["setting"].append((0.0, max(at) - begin))
        for screen in others:
            screen.terminal.send(SETTINGS)
        self._wall.read(REST)

    def edit(self) -> None:
        """A question that was answered, in other words."""
        self._select(f"question {self._number}-3")
        self._wall.type("e")
        self._wall.shows("diting", self._wall.acting)
        self._wall.type(f" again {self._number}")
        self._wall.read(REST)
        self._composed("edit", f"question {self._number}-3 again {self._number}")

    def _composed(self, name: str, text: str) -> None:
        """Send what stands in the input; the transcript is above it."""

        def holds(screen: Screen) -> bool:
            return text in screen.transcript

        self._time(name, ENTER, holds)

    def branch(self) -> None:
        """Back to the branch before the edit."""
        self._select(f"again {self._number}")
        self._is_gone("other branch", LEFT, f"again {self._number}")

    def delete(self) -> None:
        """An exchange in the middle."""
        self._wall.type(ESCAPE)
        self._wall.read(REST)
        self._select(f"question {self._number}-2")
        self._wall.type("d")
        self._wall.shows("Delete for good", self._wall.acting)
        # Nobody reads it before it is drawn to the end.
        self._wall.read(REST)
        self._is_gone("delete", "x", f"question {self._number}-2")

    def queue(self) -> None:
        """A message that waits: sent, changed, taken back."""
        self._wall.type(f"waiting {self._number}")
        self._wall.read(REST)
        self._composed("send", f"waiting {self._number}")

    def rephrase(self) -> None:
        """The waiting message, in other words."""
        self._select(f"waiting {self._number}")
        self._wall.type("e")
        self._wall.shows("diting", self._wall.acting)
        self._wall.type(f" rephrased {self._number}")
        self._wall.read(REST)
        self._composed("edit waiting", f"waiting {self._number} rephrased {self._number}")

    def cancel(self) -> None:
        """The waiting message is taken back."""
        self._select(f"rephrased {self._number}")

        def is_gone(screen: Screen) -> bool:
            return f"rephrased {self._number}" not in screen.transcript

        self._time("cancel waiting", "d", is_gone)
        self._wall.type(ERASE_LINE)
        self._wall.read(REST)

    def fork(self) -> None:
        """A tab from a message."""
        self._select(f"reply {self._number}-3")
        self._time("fork", "f", lambda screen: "(fork)" in screen.text[TAB_ROW])
        self._wall.type(ESCAPE)
        self._wall.read(REST)


def _selected(screen: Screen) -> str:
    """The message with the cursor."""
    return "\n".join(row for row in screen.text if row.startswith(CURSOR))


def _is_not_on(before: str, screen: Screen) -> bool:
    return _selected(screen) != before


@contextlib.contextmanager
def opened(home: str, count: int) -> Iterator[Wall]:
    """So many terminals that have painted and are connected."""
    with contextlib.ExitStack() as stack:
        screens: list[Screen] = []
        for _ in range(count):
            environment = {"GEMMA_CHAT_HOME": home}
            terminal = stack.enter_context(on_terminal(PROGRAM, environment, SIZE))
            screens.append(Screen(terminal))
        wall = Wall(screens)
        wall.shows(FIRST_PAINT_MARK)
        wall.read(3.0)
        yield wall


async def changes(wall: Wall, rounds: int, *, idle: bool) -> Times:
    """Go through all changes so many times."""
    times: Times = defaultdict(list)
    writer = await Writer.connect()
    for number in range(1, rounds + 1):
        if not idle or number == 1:
            await writer.speak()
        await writer.close_all()
        session = await writer.talk(number)
        await asyncio.to_thread(_go_to, wall, f"talk {number}")
        one = Round(wall, number, times)
        for step in (one.tab_bar, one.settings, one.edit):
            await asyncio.to_thread(step)
        await writer.withdraw(session)
        await asyncio.to_thread(wall.read, REST)
        for step in (one.branch, one.delete, one.queue):
            await asyncio.to_thread(step)
        if await writer.waits(session):
            await asyncio.to_thread(one.rephrase)
        if await writer.waits(session):
            await asyncio.to_thread(one.cancel)
        await asyncio.to_thread(one.fork)
        if not idle and not writer.speaks:
            print(f"round {number}: the long reply ended before the round did")
    await writer.client.close()
    return times


def _go_to(wall: Wall, title: str) -> None:
    """Show a tab in every terminal, by the jump list."""
    wall.until(lambda screen: title in screen.text[TAB_ROW])
    for screen in wall.screens:
        screen.terminal.send("\x07")
    wall.read(REST)
    for screen in wall.screens:
        screen.terminal.send(title)
    wall.read(REST)
    for screen in wall.screens:
        screen.terminal.send(ENTER)
    wall.shows(f"question {title.removeprefix('talk ')}-3")
    wall.read(REST)


def report(times: Times, others: int) -> None:
    """Print the table."""
    print(f"{'':16} {'times':>5} {'median':>8} {'p95':>8} {'worst':>8}   own, median   (ms)")
    for name, pairs in (*times.items(), ("all", [one for each in times.values() for one in each])):
        own, there = ([value * 1000 for value in values] for values in zip(*pairs, strict=True))
        p95 = statistics.quantiles([*there, max(there)], n=20, method="inclusive")[18]
        print(
            f"{name:16} {len(there):5} {statistics.median(there):8.1f} {p95:8.1f} "
            f"{max(there):8.1f}   {statistics.median(own):8.1f}"
        )
    late = sum(there > TARGET for pairs in times.values() for _, there in pairs)
    count = sum(map(len, times.values()))
    print(f"{late} of {count} later than {TARGET * 1000:.0f} ms, in the last of {others} others")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--terminals", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--idle", action="store_true", help="no reply is written meanwhile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["GEMMA_CHAT_HOME"] = home
        settings_for(home)
        with opened(home, given.terminals) as wall:
            times = asyncio.run(changes(wall, given.rounds, idle=given.idle))
        report(times, given.terminals - 1)
        subprocess.run(
            [sys.executable, "-m", "gemma_chat.cli.main", "host", "stop"],
            check=False,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
