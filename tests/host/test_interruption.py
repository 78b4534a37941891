"""What the death of the host leaves behind, and what the store's failures do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.host.rig import running

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import HostError, StoreError
from gemma_chat.host import saving
from gemma_chat.host.protocol import Notice, TurnText
from gemma_chat.store.store import Store


def leave_as_a_killed_host_does(folder: Path) -> int:
    """A reply in mid-stream, and a question that waited."""
    store = Store.open(folder / "conversations.db")
    tab = store.create(SessionSettings()).session
    store.add_message(tab, turn=1, role="user", text="one", state="complete")
    store.add_message(tab, turn=1, role="assistant", text="half a rep", state="streaming")
    store.add_message(tab, turn=2, role="user", text="two", state="queued")
    store.add_message(tab, turn=2, role="assistant", state="queued")
    store.close()
    return tab


async def test_after_a_kill_the_reply_is_there_as_far_as_it_was_and_nothing_is_sent_again(
    tmp_path: Path,
) -> None:
    """Case 19 of the session API."""
    tab = leave_as_a_killed_host_does(tmp_path)
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        assert await terminal.said(tab) == [
            ("user", "one", "complete"),
            ("assistant", "half a rep", "interrupted"),
            ("user", "two", "interrupted"),
        ]
        assert rig.engine.prompts == []
        assert (await terminal.ask(tab, "three")).turn == 3
        assert [message.text for message in rig.engine.prompts[0]] == ["one", "half a rep", "three"]


async def test_a_host_that_leaves_marks_what_it_could_not_finish(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.send(tab, "one two")
        await terminal.send(tab, "three")
        await rig.engine.gate.let_pass(3)
        await terminal.seen(TurnText)
        await rig.service.close()
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        assert await terminal.said(tab) == [
            ("user", "one two", "complete"),
            ("assistant", "1: one", "interrupted"),
            ("user", "three", "interrupted"),
        ]


def fail(*_: object, **__: object) -> None:
    """In place of a method of a store on a full disk."""
    raise StoreError("The disk is full.")


async def test_a_full_disk_in_mid_reply_is_told_once_and_the_reply_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0)
    async with running(tmp_path) as rig:
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab = await terminal.open()
        turn = await terminal.send(tab, "one two")
        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "save_reply", fail)
            broken.setattr(rig.store, "finish_message", fail)
            await rig.engine.gate.let_pass(2)
            await terminal.seen(TurnText)
            await rig.engine.gate.let_pass(1)
            await terminal.seen(Notice)
            rig.engine.gate.open()
            assert (await terminal.finished(tab, turn)).reason == "stop"
        notices = [event.text for event in terminal.events if isinstance(event, Notice)]
        assert notices == ["The disk is full."]
        assert terminal.heard(tab, turn) == "1: one two"
        assert (await terminal.ask(tab, "again")).reason == "stop"


async def test_a_reply_that_cannot_be_begun_in_the_store_ends_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as rig:
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab = await terminal.open()
        turn = await terminal.send(tab, "one two")
        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "update_message", fail)
            rig.engine.gate.open()
            end = await terminal.finished(tab, turn)
        assert (end.reason, end.error) == ("failed", "The disk is full.")
        assert (await terminal.ask(tab, "again")).reason == "stop"


async def test_a_question_that_cannot_be_stored_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "add_message", fail)
            with pytest.raises(HostError, match="disk is full"):
                await terminal.send(tab, "hello")
        assert rig.engine.prompts == []
        assert (await terminal.ask(tab, "hello")).turn == 1
