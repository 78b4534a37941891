"""What the death of the host leaves behind, and what the store's failures do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.host.rig import running

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import HostError, StoreError
from gemma_chat.host import saving, unstored
from gemma_chat.host.protocol import (
    ContinueReply,
    DeleteConversations,
    DeleteMessage,
    ForkFrom,
    MessageUpdated,
    Notice,
    StopTurn,
    TurnText,
)
from gemma_chat.store.records import Message
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
    """Case 19 of the session API: the cut reply is kept and marked."""
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


async def test_after_a_kill_a_tab_tells_how_much_of_the_context_it_takes_without_a_turn(
    tmp_path: Path,
) -> None:
    tab = leave_as_a_killed_host_does(tmp_path)
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        assert terminal.tabs[tab].context_used == 0
        rig.service.load(Path("/models/0.gguf"))
        await terminal.until(lambda: terminal.tabs[tab].context_used > 0)
        assert rig.engine.prompts == []
        await terminal.ask(tab, "three")


async def test_what_a_shell_asked_in_passing_is_gone_after_a_kill(tmp_path: Path) -> None:
    tab = leave_as_a_killed_host_does(tmp_path)
    store = Store.open(tmp_path / "conversations.db")
    passing = store.library.add("ask", SessionSettings(), (), passing=True)
    store.add_message(passing, turn=1, role="user", text="one", state="complete")
    store.add_message(passing, turn=1, role="assistant", text="half", state="streaming")
    store.close()
    async with running(tmp_path) as rig:
        assert [one.session for one in rig.store.library.page()] == [tab]


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


async def test_a_reply_on_a_full_disk_is_shown_as_finished_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstored, "RETRY_SECONDS", 0.01)
    async with running(tmp_path) as rig:
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab = await terminal.open()
        turn = await terminal.send(tab, "one two")
        await rig.engine.gate.let_pass(2)
        await terminal.seen(TurnText)
        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "save_reply", fail)
            broken.setattr(rig.store, "finish_message", fail)
            rig.engine.gate.open()
            await terminal.finished(tab, turn)
            for viewer in (terminal, await rig.connect()):
                reply = (await viewer.transcript(tab))[-1]
                assert (reply.text, reply.state) == ("1: one two", "failed")
                assert "kept in memory" in reply.error
            with pytest.raises(HostError, match="disk is full"):
                await terminal.client.request(ContinueReply(0, tab, reply.message))
        healed = await terminal.seen(MessageUpdated)
        assert (healed.view.text, healed.view.state) == ("1: one two", "complete")
        assert (await terminal.said(tab))[-1] == ("assistant", "1: one two", "complete")
        await terminal.seen(Notice, lambda notice: notice.text == unstored.STORED_AT_LAST)
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        assert (await terminal.said(tab))[-1] == ("assistant", "1: one two", "complete")


async def test_an_empty_reply_that_cannot_be_removed_is_not_shown_and_removed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstored, "RETRY_SECONDS", 0.01)
    async with running(tmp_path) as rig:
        rig.engine.gate.hold()
        terminal = await rig.connect()
        tab = await terminal.open()
        turn = await terminal.send(tab, "one two")
        await rig.engine.gate.reached()
        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "remove_message", fail)
            await terminal.client.request(StopTurn(0, tab, turn))
            rig.engine.gate.open()
            await terminal.finished(tab, turn)
            assert await terminal.said(tab) == [("user", "one two", "stopped")]
        await terminal.seen(Notice, lambda notice: notice.text == unstored.STORED_AT_LAST)
        assert [message.role for message in rig.store.messages(tab)] == ["user"]


async def test_a_message_that_was_deleted_meanwhile_is_no_longer_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstored, "RETRY_SECONDS", 0.01)
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "finish_message", fail)
            await terminal.ask(tab, "one")
            await terminal.client.request(DeleteConversations(0, (tab,)))
        await terminal.seen(Notice, lambda notice: notice.text == unstored.STORED_AT_LAST)


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


async def test_of_a_question_whose_reply_finds_no_place_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        add = rig.store.add_message

        def fail_for_replies(session: int, **of_message: Any) -> Message:
            if of_message["role"] == "assistant":
                raise StoreError("The disk is full.")
            return add(session, **of_message)

        with monkeypatch.context() as broken:
            broken.setattr(rig.store, "add_message", fail_for_replies)
            with pytest.raises(HostError, match="disk is full"):
                await terminal.send(tab, "hello")
        assert await terminal.said(tab) == []
        assert rig.store.messages(tab) == ()


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


async def test_of_a_fork_that_finds_no_place_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "one")
        reply = (await terminal.transcript(tab))[1]
        with monkeypatch.context() as broken:
            broken.setattr(rig.store.branches, "fork", fail)
            with pytest.raises(HostError, match="disk is full"):
                await terminal.client.request(ForkFrom(0, tab, reply.message))
        assert [view.session for view in rig.store.conversations()] == [tab]


async def test_a_deletion_that_finds_no_place_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "one")
        question, reply = await terminal.transcript(tab)
        rig.store.set_summary(tab, "Of one.", up_to=reply.message)
        with monkeypatch.context() as broken:
            broken.setattr(rig.store.branches, "remove_exchange", fail)
            with pytest.raises(HostError, match="disk is full"):
                await terminal.client.request(
                    DeleteMessage(0, tab, question.message, reply.message)
                )
        assert rig.store.conversation(tab).summary.text == "Of one."
        assert await terminal.transcript(tab) == [question, reply]
