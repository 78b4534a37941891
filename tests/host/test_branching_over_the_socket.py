"""Editing, regenerating, branches, deleting, forking, pinning and queues, as terminals see them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.host.rig import DEADLINE, Rig, Terminal, running

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.errors import EngineCrashedError, HostError, StoreError
from gemma_chat.host import transcripts
from gemma_chat.host.protocol import (
    CloseSession,
    ContinueReply,
    DeleteMessage,
    EditMessage,
    FetchMessages,
    ForkFrom,
    MessageChanged,
    MessageUpdated,
    MessageView,
    PinMessage,
    Regenerate,
    ReopenSession,
    ReorderQueue,
    SelectBranch,
    SendMessage,
    StopTurn,
    TranscriptChanged,
    TurnText,
)
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.history import HistoryMessage


async def talked(terminal: Terminal, *questions: str) -> tuple[int, list[MessageView]]:
    """A tab in which these questions were answered."""
    tab = await terminal.open()
    for question in questions:
        await terminal.ask(tab, question)
    return tab, await terminal.transcript(tab)


async def shown(terminal: Terminal, tab: int) -> list[str]:
    """The texts, with the branch where there are several."""
    return [
        one.text + (f" {one.branch}/{one.branches}" if one.branches > 1 else "")
        for one in await terminal.transcript(tab)
    ]


async def test_an_edited_question_is_answered_on_a_branch_of_its_own(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one", "two")
    queued = await terminal.client.request(EditMessage(0, tab, said[2].message, "other"))
    await terminal.finished(tab, queued.turn)
    assert await shown(terminal, tab) == ["one", "1: one", "other 2/2", "2: other"]
    assert [message.text for message in rig.engine.prompts[-1]] == ["one", "1: one", "other"]
    assert (await terminal.seen(TranscriptChanged)).since == said[2].message


async def told(terminal: Terminal, tab: int) -> TranscriptChanged:
    """The newest event of its kind, which tells what stands there from then on."""
    event = await terminal.seen(TranscriptChanged)
    there = [one for one in await terminal.transcript(tab) if one.message >= event.since]
    assert event.messages == tuple(there)
    return event


async def test_everybody_is_told_what_is_shown_and_need_not_ask(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one", "two", "three")
    newest = said[-1].message
    await terminal.client.request(DeleteMessage(0, tab, said[2].message, newest))
    event = await told(terminal, tab)
    assert [one.text for one in event.messages or ()] == ["three", "3: three"]
    queued = await terminal.client.request(EditMessage(0, tab, said[0].message, "other"))
    await terminal.finished(tab, queued.turn)
    edited = (await terminal.transcript(tab))[0].message
    await terminal.client.request(SelectBranch(0, tab, edited, 1))
    assert (await told(terminal, tab)).since == said[0].message
    await terminal.client.request(SelectBranch(0, tab, said[0].message, 2))
    # Below it an older branch is shown in its place.
    await terminal.client.request(DeleteMessage(0, tab, edited, edited + 1, "following"))
    event = await told(terminal, tab)
    assert [one.text for one in event.messages or ()] == ["one", "1: one", "three", "3: three"]


async def test_a_deletion_is_seen_at_once_and_answered_when_it_is_on_disk(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab, said = await talked(terminal, "one")
    other, on_disk = await rig.connect(), threading.Event()
    monkeypatch.setattr(rig.store, "sync", lambda: on_disk.wait(DEADLINE))
    deletion = DeleteMessage(0, tab, said[0].message, said[1].message)
    asked = asyncio.create_task(terminal.client.request(deletion))
    assert (await other.seen(TranscriptChanged)).messages == ()
    assert not asked.done()
    on_disk.set()
    await asked


async def test_more_than_can_be_told_at_once_is_to_be_fetched(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "MOST_TOLD", 1)
    tab, said = await talked(terminal, "one", "two", "three")
    await terminal.client.request(DeleteMessage(0, tab, said[0].message, said[-1].message))
    assert (await terminal.seen(TranscriptChanged)).messages is None


async def test_of_a_message_that_is_withdrawn_nothing_else_is_told(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    rig.engine.gate.hold()
    first = await terminal.send(tab, "one")
    second = await terminal.send(tab, "two")
    waiting = (await terminal.transcript(tab))[-1]
    await terminal.client.request(DeleteMessage(0, tab, waiting.message, waiting.message))
    assert (await told(terminal, tab)).messages == ()
    assert (await terminal.finished(tab, second)).reason == "stopped"
    changes = [one.view for one in terminal.events if isinstance(one, MessageChanged)]
    assert [one.state for one in changes if one.message == waiting.message] == ["queued"]
    rig.engine.gate.open()
    await terminal.finished(tab, first)
    assert await shown(terminal, tab) == ["one", "1: one"]
    await terminal.ask(tab, "next")
    assert [message.text for message in rig.engine.prompts[-1]] == ["one", "1: one", "next"]


async def test_a_message_that_cannot_be_withdrawn_is_stopped_and_stays(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(message: int) -> None:
        raise StoreError("The disk is full.")

    tab = await terminal.open()
    rig.engine.gate.hold()
    await terminal.send(tab, "one")
    await terminal.send(tab, "two")
    waiting = (await terminal.transcript(tab))[-1]
    monkeypatch.setattr(rig.store.branches, "remove_exchange", fail)
    with pytest.raises(HostError, match="disk is full"):
        await terminal.client.request(DeleteMessage(0, tab, waiting.message, waiting.message))
    assert (await terminal.transcript(tab))[-1].state == "stopped"


async def test_a_regenerated_reply_stands_beside_the_first_one(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one")
    hot = SamplingSettings(temperature=1.9)
    queued = await terminal.client.request(Regenerate(0, tab, said[1].message, hot))
    await terminal.finished(tab, queued.turn)
    assert await shown(terminal, tab) == ["one", "1: one 2/2"]
    assert rig.engine.samplings[-1].temperature == 1.9
    await terminal.ask(tab, "next")
    assert [message.text for message in rig.engine.prompts[-1]] == ["one", "1: one", "next"]
    assert rig.engine.samplings[-1].temperature != 1.9


async def test_a_question_that_failed_can_be_asked_again(rig: Rig, terminal: Terminal) -> None:
    rig.engine.fail_next_begin(EngineCrashedError("It broke."))
    tab, said = await talked(terminal, "one")
    assert [one.state for one in said] == ["failed"]
    queued = await terminal.client.request(Regenerate(0, tab, said[0].message))
    await terminal.finished(tab, queued.turn)
    assert await shown(terminal, tab) == ["one", "1: one"]


async def test_branches_are_walked_and_the_model_follows(rig: Rig, terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one", "two")
    queued = await terminal.client.request(EditMessage(0, tab, said[0].message, "other"))
    await terminal.finished(tab, queued.turn)
    edited = (await terminal.transcript(tab))[0]
    await terminal.client.request(SelectBranch(0, tab, edited.message, 1))
    assert await shown(terminal, tab) == ["one 1/2", "1: one", "two", "2: two"]
    await terminal.ask(tab, "three")
    assert [message.text for message in rig.engine.prompts[-1]][::2] == ["one", "two", "three"]
    with pytest.raises(HostError, match="no branch 3"):
        await terminal.client.request(SelectBranch(0, tab, said[0].message, 3))


async def test_the_branch_that_is_shown_survives_the_host(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        tab, said = await talked(terminal, "one", "two")
        queued = await terminal.client.request(EditMessage(0, tab, said[0].message, "other"))
        await terminal.finished(tab, queued.turn)
        await terminal.client.request(SelectBranch(0, tab, said[0].message + 4, 1))
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        assert (await shown(terminal, tab))[0] == "one 1/2"
        await terminal.ask(tab, "three")
        assert [message.text for message in rig.engine.prompts[-1]][::2] == ["one", "two", "three"]


async def test_a_running_reply_is_stopped_when_its_question_is_edited(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    rig.engine.gate.hold()
    turn = await terminal.send(tab, "one two three")
    await rig.engine.gate.let_pass(3)
    question = (await terminal.transcript(tab))[0]
    rig.engine.gate.open()
    queued = await terminal.client.request(EditMessage(0, tab, question.message, "other"))
    await terminal.finished(tab, queued.turn)
    assert (await terminal.finished(tab, turn)).reason in ("stopped", "stop")
    assert await shown(terminal, tab) == ["other 2/2", "1: other"]


async def test_a_reply_that_was_stopped_goes_on(rig: Rig, terminal: Terminal) -> None:
    tab = await terminal.open()
    rig.engine.gate.hold()
    turn = await terminal.send(tab, "one two three")
    await rig.engine.gate.let_pass(3)
    await terminal.client.request(StopTurn(0, tab, turn))
    await terminal.finished(tab, turn)
    rig.engine.gate.open()
    stopped = (await terminal.transcript(tab))[1]
    assert stopped.state == "stopped"
    queued = await terminal.client.request(ContinueReply(0, tab, stopped.message))
    end = await terminal.finished(tab, queued.turn)
    assert end.metrics.evaluated_tokens == 1
    assert rig.engine.prompts[-1][-1].text == stopped.text
    (question, reply) = await terminal.transcript(tab)
    assert (reply.message, reply.state) == (stopped.message, "complete")
    assert reply.text == stopped.text + "1: one two three"
    assert question.state == "complete"
    pieces = [one for one in terminal.events if isinstance(one, TurnText)]
    assert next(p for p in pieces if p.turn == queued.turn).offset == len(stopped.text)


async def test_only_the_newest_reply_goes_on(terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one", "two")
    with pytest.raises(HostError, match="Only the newest reply"):
        await terminal.client.request(ContinueReply(0, tab, said[1].message))
    with pytest.raises(HostError, match="Only a reply can go on"):
        await terminal.client.request(ContinueReply(0, tab, said[2].message))


async def test_a_second_reply_that_never_begins_brings_the_first_one_back(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one", "two")
    rig.engine.gate.hold()
    queued = await terminal.client.request(Regenerate(0, tab, said[1].message))
    await rig.engine.gate.reached()
    assert [one.text for one in await terminal.transcript(tab)] == ["one"]
    await terminal.client.request(StopTurn(0, tab, queued.turn))
    await terminal.finished(tab, queued.turn)
    rig.engine.gate.open()
    assert await shown(terminal, tab) == ["one", "1: one", "two", "2: two"]
    assert {one.state for one in await terminal.transcript(tab)} == {"complete"}
    await terminal.ask(tab, "three")
    assert [message.text for message in rig.engine.prompts[-1]][::2] == ["one", "two", "three"]


async def test_an_exchange_is_deleted_and_the_model_forgets_it(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one", "two", "three")
    newest = said[-1].message
    await terminal.client.request(DeleteMessage(0, tab, said[3].message, newest))
    assert await shown(terminal, tab) == ["one", "1: one", "three", "3: three"]
    await terminal.ask(tab, "four")
    assert [message.text for message in rig.engine.prompts[-1]][::2] == ["one", "three", "four"]


async def test_a_message_is_deleted_with_all_that_follows(terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one", "two")
    request = DeleteMessage(0, tab, said[2].message, said[-1].message, "following")
    await terminal.client.request(request)
    assert await shown(terminal, tab) == ["one", "1: one"]
    assert terminal.tabs[tab].message_count == 2


async def test_a_deletion_never_takes_what_another_terminal_added_meanwhile(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one")
    other = await rig.connect()
    await other.ask(tab, "from elsewhere")
    request = DeleteMessage(0, tab, said[0].message, said[-1].message, "following")
    with pytest.raises(HostError, match="Another terminal has added"):
        await terminal.client.request(request)
    assert len(await terminal.transcript(tab)) == 4


async def test_a_message_is_not_sent_into_a_branch_its_terminal_does_not_show(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one", "two")
    other = await rig.connect()
    queued = await other.client.request(EditMessage(0, tab, said[2].message, "other"))
    await other.finished(tab, queued.turn)
    with pytest.raises(HostError, match="another branch"):
        await terminal.client.request(SendMessage(0, tab, "three", said[-1].message))
    with pytest.raises(HostError, match="not on the branch that is shown"):
        await terminal.client.request(EditMessage(0, tab, said[2].message, "late"))
    seen = (await terminal.transcript(tab))[-1].message
    await terminal.client.request(SendMessage(0, tab, "three", seen))


async def test_a_message_sent_beside_another_terminals_goes_behind_it(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one")
    other = await rig.connect()
    await other.ask(tab, "two")
    queued = await terminal.client.request(SendMessage(0, tab, "three", said[-1].message))
    await terminal.finished(tab, queued.turn)
    assert (await shown(terminal, tab))[::2] == ["one", "two", "three"]


async def test_branches_stay_where_they_are_while_a_reply_is_written(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one")
    rig.engine.gate.hold()
    turn = await terminal.send(tab, "two")
    for request in (
        SelectBranch(0, tab, said[0].message, 1),
        DeleteMessage(0, tab, said[0].message, 99),
        ContinueReply(0, tab, said[1].message),
    ):
        with pytest.raises(HostError, match="while a reply is being written"):
            await terminal.client.request(request)
    rig.engine.gate.open()
    await terminal.finished(tab, turn)


async def test_a_fork_at_a_reply_has_everything_up_to_it(rig: Rig, terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one", "two")
    await terminal.open("behind")
    fork = (await terminal.client.request(ForkFrom(0, tab, said[1].message))).session
    assert await shown(terminal, fork) == ["one", "1: one"]
    assert [terminal.tabs[one].position for one in (tab, fork)] == [0, 1]
    await terminal.ask(fork, "other")
    assert [message.text for message in rig.engine.prompts[-1]][::2] == ["one", "other"]
    assert (await shown(terminal, tab))[::2] == ["one", "two"]


async def test_a_fork_at_a_question_has_it_in_the_input(terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one", "two")
    fork = (await terminal.client.request(ForkFrom(0, tab, said[2].message))).session
    assert await shown(terminal, fork) == ["one", "1: one"]
    assert terminal.tabs[fork].draft == "two"


async def test_a_fork_of_all_leaves_out_what_is_not_answered_yet(
    rig: Rig, terminal: Terminal
) -> None:
    tab, _ = await talked(terminal, "one")
    rig.engine.gate.hold()
    turn = await terminal.send(tab, "two")
    await rig.engine.gate.reached()
    fork = (await terminal.client.request(ForkFrom(0, tab))).session
    rig.engine.gate.open()
    await terminal.finished(tab, turn)
    assert await shown(terminal, fork) == ["one", "1: one"]
    again = (await terminal.client.request(ForkFrom(0, tab, title=" All \n of it"))).session
    assert await shown(terminal, again) == await shown(terminal, tab)
    assert (terminal.tabs[again].title, terminal.tabs[again].title_by) == ("All of it", "person")
    assert [terminal.tabs[one].position for one in (tab, again, fork)] == [0, 1, 2]


async def test_the_fork_of_a_closed_conversation_stands_in_no_tab(
    rig: Rig, terminal: Terminal
) -> None:
    tab, said = await talked(terminal, "one", "two")
    empty = await terminal.open("empty")
    for session in (tab, empty):
        await terminal.client.request(CloseSession(0, session))
    fork = (await terminal.client.request(ForkFrom(0, tab, said[1].message))).session
    whole = (await terminal.client.request(ForkFrom(0, tab))).session
    blank = (await terminal.client.request(ForkFrom(0, empty))).session
    assert terminal.tabs == {}
    assert await shown(terminal, fork) == ["one", "1: one"]
    assert len(await shown(terminal, whole)) == 4
    assert await shown(terminal, blank) == []
    await terminal.client.request(ReopenSession(0, fork))
    await terminal.ask(fork, "three")
    assert [message.text for message in rig.engine.prompts[-1]][::2] == ["one", "three"]
    with pytest.raises(HostError, match="no conversation 99"):
        await terminal.client.request(ForkFrom(0, 99))


async def test_a_pin_is_shown_to_everybody(rig: Rig, terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one")
    other = await rig.connect()
    await terminal.client.request(PinMessage(0, tab, said[1].message, True))
    view = (await other.seen(MessageUpdated)).view
    assert (view.message, view.pinned, view.text) == (said[1].message, True, "1: one")
    assert [one.pinned for one in await other.transcript(tab)] == [False, True]


async def test_waiting_messages_are_reordered_edited_and_cancelled(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    rig.engine.gate.hold()
    turns = [await terminal.send(tab, text) for text in ("one", "two", "three", "four")]
    await rig.engine.gate.reached()
    await terminal.client.request(ReorderQueue(0, tab, (turns[3], turns[1], turns[2])))
    waiting = await terminal.transcript(tab)
    assert [one.text for one in waiting] == ["one", "four", "two", "three"]
    await terminal.client.request(EditMessage(0, tab, waiting[2].message, "deux"))
    newest = waiting[-1].message
    await terminal.client.request(DeleteMessage(0, tab, waiting[3].message, newest))
    with pytest.raises(HostError, match="are others by now"):
        await terminal.client.request(ReorderQueue(0, tab, tuple(turns)))
    rig.engine.gate.open()
    await terminal.finished(tab, turns[2])
    assert (await shown(terminal, tab))[::2] == ["one", "four", "deux"]
    changed = [one.view.text for one in terminal.events if isinstance(one, MessageChanged)]
    assert "deux" in changed


async def test_a_stretch_from_a_message_on_can_be_fetched(terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one", "two")
    request = FetchMessages(0, tab, since=said[2].message)
    answer = await terminal.client.request(request)
    assert [one.text for one in answer.messages] == ["two", "2: two"]


async def test_an_unknown_message_is_refused(terminal: Terminal) -> None:
    tab, said = await talked(terminal, "one")
    elsewhere = await terminal.open()
    for session, message in ((tab, 999), (elsewhere, said[0].message)):
        with pytest.raises(HostError, match="not on the branch"):
            await terminal.client.request(PinMessage(0, session, message, True))


async def test_a_branch_that_is_chosen_while_the_chat_goes_to_another_is_not_forgotten(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    chat_of_tab = rig.service._conversations.chats.of(tab)
    go_to, went = Chat.go_to, list[int]()

    async def go(chat: Chat, history: Iterable[HistoryMessage], *rest: Any) -> None:
        went.append(tab)
        if len(went) == 1:
            chat_of_tab.take_branch()
        await go_to(chat, history, *rest)

    monkeypatch.setattr(Chat, "go_to", go)
    chat_of_tab.take_branch()
    await terminal.ask(tab, "two")
    await terminal.ask(tab, "three")
    assert went == [tab, tab]
