"""Terminals that are stopped, killed or half gone: nobody waits for them, nothing piles up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tracemalloc
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.host.rig import DEADLINE, Rig, Terminal, running

from gemma_chat.host import connection, framing, server
from gemma_chat.host.framing import encode_frame
from gemma_chat.host.protocol import (
    PROTOCOL_VERSION,
    Event,
    Hello,
    LockChanged,
    LockEntry,
    LockView,
    MessageChanged,
    MessageRemoved,
    MessageUpdated,
    MessageView,
    ModelChanged,
    ModelView,
    Notice,
    RenameSession,
    SessionClosed,
    TabsArranged,
    TranscriptChanged,
    TurnFinished,
    TurnMetrics,
    TurnText,
)

READER = """
import asyncio, sys
from pathlib import Path
from gemma_chat.host.client import HostClient
from gemma_chat.host.protocol import Snapshot, TurnText

heard = 0

def hear(event):
    global heard
    if isinstance(event, Snapshot):
        print("snapshot", [view.title for view in event.sessions], flush=True)
    if isinstance(event, TurnText):
        heard += len(event.text)
        if event.text.endswith("."):
            print("heard", heard, flush=True)

async def read():
    client = await HostClient.connect(Path(sys.argv[1]), listener=hear)
    await client.ended()

asyncio.run(read())
"""
PIECE = "x" * 100_000
MEGABYTES = 48


class Reader:
    """A terminal in a process of its own."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def says(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            return (await self.process.stdout.readline()).decode().strip()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(connection, "TEXT_INTERVAL", 0.0)
    async with running(tmp_path) as rig:
        yield rig


@pytest.fixture
async def readers(rig: Rig) -> AsyncIterator[list[Reader]]:
    """Three terminals that have read the first snapshot."""
    started = [
        Reader(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", READER, str(rig.socket), stdout=PIPE
            )
        )
        for _ in range(3)
    ]
    for each in started:
        assert (await each.says()).startswith("snapshot")
    yield started
    for each in started:
        if each.process.returncode is None:
            each.process.kill()
        await each.process.wait()


async def stream(rig: Rig, terminal: Terminal, tab: int, megabytes: int) -> None:
    """Let a reply be told, as fast as one who reads can follow."""
    for number in range(megabytes):
        terminal.events.clear()
        begin = number * 1_000_000
        for offset in range(begin, begin + 1_000_000, len(PIECE)):
            rig.server.publish(TurnText(tab, 1, 1, offset, PIECE))
        await terminal.seen(TurnText, partial(_ends_at, begin + 1_000_000))


def _ends_at(offset: int, event: TurnText) -> bool:
    return event.offset + len(event.text) == offset


async def test_frozen_terminals_cost_bounded_memory_and_come_back_by_a_snapshot(
    rig: Rig, readers: list[Reader]
) -> None:
    terminal = await rig.connect()
    tab = await terminal.open("before")
    for each in readers:
        each.signal(signal.SIGSTOP)
    tracemalloc.start()
    try:
        await stream(rig, terminal, tab, MEGABYTES)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000
    await terminal.client.request(RenameSession(0, tab, "after"))
    for each in readers:
        each.signal(signal.SIGCONT)
        while not (line := await each.says()).startswith("snapshot"):
            assert line.startswith("heard")
        assert line == "snapshot ['after']"
    rig.server.publish(TurnText(tab, 1, 1, MEGABYTES * 1_000_000, "the end."))
    for each in readers:
        assert int((await each.says()).removeprefix("heard ")) < MEGABYTES * 1_000_000


async def test_the_host_leaves_although_terminals_are_frozen(
    rig: Rig, readers: list[Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = await rig.connect()
    tab = await terminal.open()
    for each in readers:
        each.signal(signal.SIGSTOP)
    await stream(rig, terminal, tab, 3)
    monkeypatch.setattr(server, "_LEAVING_SECONDS", 0.05)
    monkeypatch.setattr(framing, "FLUSH_SECONDS", 0.05)
    async with asyncio.timeout(DEADLINE):
        await rig.server.close("it was told to stop.")
    assert "ended the connection" in str(await terminal.client.ended())


async def test_killed_terminals_are_forgotten_at_once(rig: Rig, readers: list[Reader]) -> None:
    await rig.clients(3)
    readers[0].signal(signal.SIGKILL)
    readers[1].signal(signal.SIGSTOP)
    readers[1].signal(signal.SIGKILL)
    readers[2].signal(signal.SIGHUP)
    await rig.clients(0)


async def half_open(rig: Rig) -> socket.socket:
    """A terminal that has greeted and reads nothing."""
    half = socket.socket(socket.AF_UNIX)
    half.connect(str(rig.socket))
    half.sendall(encode_frame(Hello(PROTOCOL_VERSION, "half", 7)))
    await rig.clients(1)
    return half


@pytest.mark.parametrize("side", [socket.SHUT_WR, socket.SHUT_RDWR])
async def test_who_will_ask_nothing_more_is_let_go(rig: Rig, side: int) -> None:
    half = await half_open(rig)
    half.shutdown(side)
    await rig.clients(0)
    half.close()


async def test_who_will_read_nothing_more_is_let_go_with_the_next_event(rig: Rig) -> None:
    half = await half_open(rig)
    half.shutdown(socket.SHUT_RD)
    terminal = await rig.connect()
    await terminal.open()
    await rig.clients(1)
    half.close()


async def test_figures_of_the_lock_are_collected_and_a_new_holder_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TEXT_INTERVAL", 1000.0)
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        holders = [LockEntry(1, 1, "a", generated=n, phase="generating") for n in (1, 2, 3)]
        rig.server.publish(LockChanged(LockView(holders[0])))
        await terminal.order((1, 1))
        known = len(terminal.events)
        for holder in holders[1:]:
            rig.server.publish(LockChanged(LockView(holder)))
        await asyncio.sleep(0)
        rig.server.publish(LockChanged(LockView(LockEntry(2, 1, "b", phase="generating"))))
        await terminal.order((2, 1))
        assert len(terminal.events[known:]) == 1


QUESTION = MessageView(1, 1, "user", "other words", "queued", 0.0)
CHANGES: tuple[Event, ...] = (
    TranscriptChanged(1, 1),
    MessageChanged(1, 1, QUESTION),
    MessageUpdated(1, QUESTION),
    MessageRemoved(1, 1, 1),
    TabsArranged(()),
    SessionClosed(1),
    TurnFinished(1, 1, "stopped", TurnMetrics()),
    Notice("warning", "Mind the gap."),
    ModelChanged(ModelView()),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
async def test_a_change_is_told_at_once_whatever_text_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Event
) -> None:
    monkeypatch.setattr(connection, "TEXT_INTERVAL", 1000.0)
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        await terminal.open()
        rig.server.publish(TurnText(1, 1, 1, 0, "word"))
        await asyncio.sleep(0)
        rig.server.publish(change)
        await terminal.seen(type(change), lambda event: event == change)
        # In the order in which they happened.
        assert terminal.heard(1, 1) == "word"


async def test_text_that_is_collected_holds_nothing_else_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TEXT_INTERVAL", 1000.0)
    async with running(tmp_path) as rig:
        first, second = await rig.connect(), await rig.connect()
        tab = await first.open("before")
        rig.server.publish(TurnText(tab, 1, 1, 0, "word"))
        await asyncio.sleep(0)
        await first.client.request(RenameSession(0, tab, "after"))
        await second.until(lambda: second.tabs[tab].title == "after")
        assert second.heard(tab, 1) == "word"
