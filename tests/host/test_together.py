"""Two persons in one tab, each at a terminal: both see everything, and neither loses a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.host.rig import Rig, Terminal, running

from gemma_chat.host import connection
from gemma_chat.host.protocol import (
    Done,
    Failed,
    MarkRead,
    MessageChanged,
    RenameSession,
    SaveDraft,
    SaveScroll,
    ScrollPosition,
    SessionChanged,
)

ANNE, BERT = 101, 102


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(connection, "TEXT_INTERVAL", 0.0)
    async with running(tmp_path) as rig:
        yield rig


@pytest.fixture
async def anne(rig: Rig) -> Terminal:
    return await rig.connect()


@pytest.fixture
async def bert(rig: Rig) -> Terminal:
    return await rig.connect()


async def test_messages_sent_at_once_are_all_asked_and_all_answered(
    rig: Rig, anne: Terminal, bert: Terminal
) -> None:
    tab = await anne.open()
    rig.engine.gate.hold()
    asked = [
        terminal.send(tab, f"{name} {number}")
        for number in range(8)
        for name, terminal in (("anne", anne), ("bert", bert))
    ]
    turns = await asyncio.gather(*asked)
    rig.engine.gate.open()
    for terminal in (anne, bert):
        for turn in turns:
            assert (await terminal.finished(tab, turn)).reason == "stop"
    assert sorted(turns) == list(range(1, 17))
    said = await anne.transcript(tab)
    assert said == await bert.transcript(tab)
    questions = [one.text for one in said if one.role == "user"]
    for name in ("anne", "bert"):
        own = [text for text in questions if text.startswith(name)]
        assert own == [f"{name} {number}" for number in range(8)]
    replies = [one.text for one in said if one.role == "assistant"]
    assert [reply.partition(": ")[2] for reply in replies] == questions


async def test_both_hear_the_whole_reply_to_either(anne: Terminal, bert: Terminal) -> None:
    tab = await anne.open()
    turn = await bert.send(tab, "one two three")
    for terminal in (anne, bert):
        await terminal.finished(tab, turn)
        changed = await terminal.seen(MessageChanged, lambda e: e.view.role == "assistant")
        assert (changed.view.text, changed.view.state) == ("1: one two three", "complete")


async def test_what_one_changes_is_told_to_the_other_with_the_name_of_who_did_it(
    anne: Terminal, bert: Terminal
) -> None:
    tab = await anne.open()
    await anne.client.request(RenameSession(0, tab, "Sea"))
    told = await bert.seen(SessionChanged, lambda event: event.view.title == "Sea")
    assert told.origin > 0


async def test_drafts_of_two_are_both_there_for_the_next_terminal(rig: Rig, anne: Terminal) -> None:
    tab = await anne.open()
    await rig.service.answer(SaveDraft(1, tab, "alpha", "here"), ANNE)
    await rig.service.answer(SaveDraft(1, tab, "beta", "here"), BERT)
    for client in (ANNE, BERT):
        await rig.service.left(client)
    assert (await rig.connect()).tabs[tab].draft == "alpha\n\nbeta"


async def test_sending_leaves_the_others_draft(rig: Rig, anne: Terminal) -> None:
    tab = await anne.open()
    await rig.service.answer(SaveDraft(1, tab, "alpha", "here"), ANNE)
    await rig.service.answer(SaveDraft(1, tab, "beta", "here"), BERT)
    await anne.ask(tab, "alpha")
    await rig.service.answer(SaveDraft(1, tab, "", "here"), ANNE)
    assert rig.store.conversation(tab).draft == "beta"


async def test_a_draft_of_a_tab_that_is_gone_is_refused_by_name(rig: Rig) -> None:
    reply = await rig.service.answer(SaveDraft(1, 99, "alpha"), ANNE)
    assert isinstance(reply, Failed)
    assert "99" in reply.error


async def test_twenty_terminals_that_look_at_a_reply_are_told_once_that_it_was_read(
    rig: Rig, anne: Terminal, bert: Terminal
) -> None:
    tab = await anne.open()
    await anne.ask(tab, "one")
    await anne.until(lambda: anne.tabs[tab].unread)
    for client in range(20):
        assert await rig.service.answer(MarkRead(1, tab), client) == Done(1)
    await anne.client.request(RenameSession(0, tab, "the end"))
    await bert.until(lambda: bert.tabs[tab].title == "the end")
    told = [one.view.unread for one in bert.events if isinstance(one, SessionChanged)]
    assert told[told.index(True) :] == [True, False, False]


async def test_where_one_reads_is_nobody_elses_business(
    rig: Rig, anne: Terminal, bert: Terminal
) -> None:
    tab = await anne.open()
    await bert.until(lambda: tab in bert.tabs)
    before = len(bert.events)
    await anne.client.request(SaveScroll(0, tab, ScrollPosition(follow=False, message=1)))
    await anne.client.request(RenameSession(0, tab, "Sea"))
    await bert.until(lambda: bert.tabs[tab].title == "Sea")
    changes = [one for one in bert.events[before:] if isinstance(one, SessionChanged)]
    assert [one.view.title for one in changes] == ["Sea"]
