"""Two things at once: what others do while a request waits for a turn, a tab or a model to end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.host.clock import Clock
from tests.host.rig import Rig, Terminal, running
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.settings import EngineSettings, Settings, SummarizerSettings
from gemma_chat.errors import EngineCrashedError, HostError, StoreError
from gemma_chat.host import unstored
from gemma_chat.host.protocol import (
    CloseSession,
    DeleteConversations,
    EditMessage,
    Failed,
    LoadModel,
    Notice,
    Opened,
    Queued,
    Regenerate,
    ReopenSession,
    Reply,
    Request,
    SendMessage,
    ShowContext,
    StopTurn,
)
from gemma_chat.host.tab_tools import TabTools
from gemma_chat.host.turn_record import TurnRecord
from gemma_chat.host.turns import RunningTurn
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.tools.tool import Tool

ANNE, BERT = 101, 102


async def under_way(rig: Rig, request: Request, asker: int = ANNE) -> asyncio.Task[Reply]:
    """A request that has come as far as it comes without waiting."""
    task = asyncio.create_task(rig.service.answer(request, asker))
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def speaking(rig: Rig, terminal: Terminal) -> tuple[int, int, int]:
    """A tab with a reply in mid-stream, the number of its question, and that of its turn."""
    tab = await terminal.open()
    rig.engine.gate.hold()
    turn = await terminal.send(tab, "one two three")
    await rig.engine.gate.let_pass(3)
    return tab, (await terminal.transcript(tab))[0].message, turn


# ---------------------------------------------------------------- two persons in one tab


@pytest.mark.parametrize("again", [True, False])
async def test_a_message_sent_while_a_running_reply_gives_way_to_an_edit_is_not_hidden(
    rig: Rig, terminal: Terminal, *, again: bool
) -> None:
    tab, question, _ = await speaking(rig, terminal)
    rephrase = Regenerate(1, tab, question) if again else EditMessage(1, tab, question, "other")
    asked = await under_way(rig, rephrase)
    sent = await rig.service.answer(SendMessage(2, tab, "from Bert"), BERT)
    assert isinstance(sent, Queued)
    rig.engine.gate.open()
    refused = await asked
    assert isinstance(refused, Failed)
    assert "meanwhile" in refused.error
    await terminal.finished(tab, sent.turn)
    questions = [text for role, text, _ in await terminal.said(tab) if role == "user"]
    assert questions == ["one two three", "from Bert"]


async def test_a_message_that_was_not_seen_yet_is_not_put_aside_and_its_reply_goes_on(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    question, reply = await terminal.transcript(tab)
    rig.engine.gate.hold()
    turn = await terminal.send(tab, "from Bert")
    await rig.engine.gate.let_pass(3)
    unseeing = EditMessage(1, tab, question.message, "other", newest=reply.message)
    refused = await rig.service.answer(unseeing, ANNE)
    assert isinstance(refused, Failed)
    assert "meanwhile" in refused.error
    rig.engine.gate.open()
    assert (await terminal.finished(tab, turn)).reason == "stop"


async def test_an_edit_whose_tab_is_closed_meanwhile_is_refused_and_leaves_nothing(
    rig: Rig, terminal: Terminal
) -> None:
    tab, question, _ = await speaking(rig, terminal)
    asked = await under_way(rig, EditMessage(1, tab, question, "other"))
    await rig.service.answer(CloseSession(2, tab), BERT)
    rig.engine.gate.open()
    assert isinstance(await asked, Failed)
    await terminal.client.request(ReopenSession(0, tab))
    assert [(role, state) for role, _, state in await terminal.said(tab)] == [
        ("user", "complete"),
        ("assistant", "stopped"),
    ]


@pytest.mark.parametrize("reopened_first", [True, False])
async def test_a_tab_that_is_reopened_while_it_is_deleted_is_gone_everywhere(
    rig: Rig, terminal: Terminal, *, reopened_first: bool
) -> None:
    tab, _, _ = await speaking(rig, terminal)
    reopen, delete = ReopenSession(1, tab), DeleteConversations(2, (tab,))
    await rig.service.answer(CloseSession(3, tab), BERT)
    order = [reopen, delete] if reopened_first else [delete, reopen]
    tasks = [await under_way(rig, request) for request in order]
    rig.engine.gate.open()
    answers = {type(request): await task for request, task in zip(order, tasks, strict=True)}
    assert isinstance(answers[ReopenSession], Opened if reopened_first else Failed)
    assert not isinstance(answers[DeleteConversations], Failed)
    other = await terminal.open("other")
    await terminal.until(lambda: set(terminal.tabs) == {other})
    assert set((await rig.connect()).tabs) == {other}


# ---------------------------------------------------------------- warm-ups


async def test_a_tab_that_is_closed_while_its_tools_start_has_no_chat_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting, started = asyncio.Event(), asyncio.Event()
    opened: list[Chat] = []
    forgotten: list[int] = []
    open_chat = InferenceModel.open_chat

    async def start(self: TabTools, session: int, settings: object) -> tuple[Tool, ...]:
        starting.set()
        await started.wait()
        return ()

    async def note(self: InferenceModel, **options: object) -> Chat:
        opened.append(await open_chat(self, **options))
        return opened[-1]

    monkeypatch.setattr(TabTools, "of", start)
    monkeypatch.setattr(TabTools, "forget", lambda self, session: forgotten.append(session))
    monkeypatch.setattr(InferenceModel, "open_chat", note)
    eager = Settings(
        summarizer=SummarizerSettings(enabled=False), engine=EngineSettings(anticipate=True)
    )
    async with running(tmp_path, settings=eager) as rig:
        terminal = await rig.connect()
        await terminal.model("ready")
        tab = await terminal.open(system="Be brief.")
        await starting.wait()
        await terminal.client.request(CloseSession(0, tab))
        started.set()
        other = await terminal.open()
        await terminal.ask(other, "one")
        assert len(opened) == 1
        assert forgotten == [tab, tab]


async def test_who_looks_at_the_context_while_another_model_is_due_can_still_stop_the_reply(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, ScriptedEngine(), ScriptedEngine()) as rig:
        terminal = await rig.connect()
        tab, _, turn = await speaking(rig, terminal)
        other = await terminal.open()
        await terminal.client.request(LoadModel(0, "/models/1.gguf", when="idle"))
        waits = await terminal.send(other, "on the next one")
        with pytest.raises(HostError, match="1 is about to be loaded"):
            await terminal.client.request(ShowContext(0, other))
        await terminal.client.request(StopTurn(0, tab, turn))
        assert (await terminal.finished(tab, turn)).reason == "stopped"
        assert (await terminal.finished(other, waits)).reason == "stop"


# ---------------------------------------------------------------- the host leaves


async def test_a_request_that_is_on_the_way_when_the_host_leaves_leaves_nothing_unfinished(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab, question, _ = await speaking(rig, terminal)
    has_left = asyncio.Event()
    ended = RunningTurn.ended

    async def hear_late(turn: RunningTurn) -> None:
        await ended(turn)
        await has_left.wait()

    with monkeypatch.context() as slow:
        slow.setattr(RunningTurn, "ended", hear_late)
        asked = await under_way(rig, EditMessage(1, tab, question, "other"))
    await rig.service.close()
    has_left.set()
    await asked
    await asyncio.gather(*(turn.ended() for turn in rig.service._conversations.turns.all))
    assert [(one.text, one.state) for one in rig.store.messages(tab)] == [("other", "interrupted")]


async def test_a_host_that_has_left_loads_no_model_and_tells_nothing(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await terminal.model("ready")
    clock = Clock(monkeypatch)
    await rig.service.close()
    rig.server.publish(Notice("information", "it has left"))
    await terminal.seen(Notice)
    known = len(terminal.events)
    rig.service.load(Path("/models/0.gguf"))
    await clock.pass_by(10.0)
    rig.server.publish(Notice("information", "the end"))
    await terminal.seen(Notice, lambda notice: notice.text == "the end")
    assert [type(event) for event in terminal.events[known:]] == [Notice]


# ---------------------------------------------------------------- the store comes back


async def test_a_state_that_waits_for_the_disk_does_not_overwrite_a_later_one(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstored, "RETRY_SECONDS", 1000.0)
    tab = await terminal.open()
    rig.engine.gate.hold()
    with monkeypatch.context() as broken:
        # That it is being answered finds no place on the disk.
        broken.setattr(rig.store, "finish_message", _fail)
        turn = await terminal.send(tab, "one")
        await rig.engine.gate.reached()
        await terminal.seen(Notice, lambda notice: "disk is full" in notice.text)
    await terminal.client.request(StopTurn(0, tab, turn))
    await terminal.finished(tab, turn)
    rig.service._conversations.unstored.write()
    assert [one.state for one in rig.store.messages(tab)] == ["stopped"]


async def test_a_question_is_asked_again_only_when_its_last_state_is_stored(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstored, "RETRY_SECONDS", 1000.0)
    tab = await terminal.open()
    rig.engine.fail_next_begin(EngineCrashedError("It broke."))
    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "finish_message", _fail)
        await terminal.ask(tab, "one")
        question = (await terminal.transcript(tab))[0].message
        refused = await rig.service.answer(Regenerate(1, tab, question), ANNE)
        assert isinstance(refused, Failed)
        assert "disk is full" in refused.error
    queued = await terminal.client.request(Regenerate(0, tab, question))
    await terminal.finished(tab, queued.turn)
    rig.service._conversations.unstored.write()
    assert [one.state for one in rig.store.messages(tab)] == ["complete", "complete"]


def _fail(*_: object, **__: object) -> None:
    raise StoreError("The disk is full.")


async def test_a_turn_whose_end_fails_does_not_keep_its_tab_busy(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await terminal.open()
    with monkeypatch.context() as broken:
        broken.setattr(TurnRecord, "settle", lambda self, outcome: 1 / 0)
        await terminal.ask(tab, "one")
    assert not rig.service.busy
