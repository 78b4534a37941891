"""A streaming reply is saved at least once a second, and no disk holds its stream up."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from tests.host.clock import Clock
from tests.host.rig import DEADLINE, running

from gemma_chat.errors import StoreError
from gemma_chat.host import connection, saving
from gemma_chat.host.protocol import SaveDraft, TurnText
from gemma_chat.host.saving import ReplySaver
from gemma_chat.store.records import Aside
from gemma_chat.store.store import Store

STEP = 0.1
SAID = " ".join(f"word{n}" for n in range(60))


class Disk:
    """Saves replies in as much time of the test's clock as it is told."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.kept = ""
        self.saves = 0

    def save_reply(
        self, message: int, turn: int, text: str, asides: Sequence[Aside] = ()
    ) -> Future[None]:
        saved: Future[None] = Future()
        asyncio.get_running_loop().call_later(self.seconds, self._keep, text, saved)
        return saved

    def _keep(self, text: str, saved: Future[None]) -> None:
        self.kept = text
        self.saves += 1
        saved.set_result(None)


@pytest.mark.parametrize("disk_seconds", [0.0, 0.3, 0.45])
async def test_all_text_is_saved_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk_seconds: float
) -> None:
    disk = Disk(disk_seconds)
    monkeypatch.setattr(connection, "TEXT_INTERVAL", 0.0)
    async with running(tmp_path) as rig:
        monkeypatch.setattr(rig.store, "save_reply", disk.save_reply)
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab = await terminal.open()
        turn = await terminal.send(tab, SAID)
        await rig.engine.gate.let_pass(2)
        first = (await terminal.seen(TurnText)).text
        clock = Clock(monkeypatch)
        heard = [(clock.now(), first)]
        for _ in range(30):
            await rig.engine.gate.let_pass(1)
            await terminal.until(lambda: terminal.heard(tab, turn) != heard[-1][1])
            heard.append((clock.now(), terminal.heard(tab, turn)))
            await clock.pass_by(STEP)
            overdue = [text for when, text in heard if when <= clock.now() - 1.0]
            assert not overdue or disk.kept.startswith(overdue[-1])
        passed = clock.now() - heard[0][0]
        assert passed - 1.0 <= disk.saves <= passed / saving.SAVE_SECONDS + 1


async def test_a_disk_that_hangs_holds_neither_the_stream_nor_other_tabs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0)
    spins, moves_on = threading.Event(), threading.Event()

    def hang(descriptor: int) -> None:
        spins.set()
        assert moves_on.wait(DEADLINE)

    async with running(tmp_path) as rig:
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab, other = await terminal.open(), await terminal.open()
        turn = await terminal.send(tab, SAID)
        await rig.engine.gate.let_pass(2)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", hang)
            await rig.engine.gate.let_pass(2)
            assert await asyncio.to_thread(spins.wait, DEADLINE)
            rig.engine.gate.open()
            await terminal.until(lambda: terminal.heard(tab, turn) == f"1: {SAID}")
            await terminal.client.request(SaveDraft(0, other, "meanwhile"))
            assert rig.store.conversation(other).draft == "meanwhile"
            assert (await terminal.finished(tab, turn)).reason == "stop"
            assert (await terminal.ask(tab, "and then?")).reason == "stop"
            moves_on.set()
        assert await terminal.said(tab) == [
            ("user", SAID, "complete"),
            ("assistant", f"1: {SAID}", "complete"),
            ("user", "and then?", "complete"),
            ("assistant", "2: and then?", "complete"),
        ]
    with_another = Store.open(tmp_path / "conversations.db")
    assert [one.text for one in with_another.messages(tab)][1::2] == [
        f"1: {SAID}",
        "2: and then?",
    ]
    with_another.close()


async def test_what_could_not_be_saved_is_tried_again_with_what_came_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    reply, kept = "one", list[str]()
    full = StoreError("The disk is full.")
    told: list[StoreError] = []

    async def save() -> None:
        if not told:
            raise full
        kept.append(reply)

    saver = ReplySaver(save, told.append)
    saver.changed()
    await clock.pass_by(saving.SAVE_SECONDS)
    assert told == [full]
    reply = "one two"
    await clock.pass_by(saving.SAVE_SECONDS)
    assert kept == ["one two"]
    await clock.pass_by(10.0)
    assert kept == ["one two"]
    reply = "one two three"
    saver.changed()
    await clock.pass_by(saving.SAVE_SECONDS)
    assert kept == ["one two", "one two three"]


async def test_after_the_end_no_save_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    disk = Disk(0.3)

    async def save() -> None:
        await asyncio.wrap_future(disk.save_reply(1, 1, "so far"))

    saver = ReplySaver(save, lambda error: None)
    saver.changed()
    await clock.pass_by(saving.SAVE_SECONDS)
    saver.changed()
    saver.end()
    for _ in range(5):
        await clock.pass_by(10.0)
    assert disk.saves == 1
