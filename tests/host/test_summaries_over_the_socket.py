"""The summarizer among the tabs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.host.rig import Terminal, running
from tests.sessions.scripted import ScriptedEngine, echo

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.config.settings import Settings, SummarizerSettings
from gemma_chat.engine.interface import ChatMessage
from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    CloseSession,
    EditMessage,
    GetStatus,
    ImportConversation,
    ImportedMessage,
    LockChanged,
    RenameSession,
    ReopenSession,
    SessionChanged,
    SetSummarizer,
    Summarize,
    SummarizerChanged,
    SummarizerView,
)
from gemma_chat.host.summaries import _session_settings
from gemma_chat.sessions import summary as notes

EAGER = Settings(
    summarizer=SummarizerSettings(
        delay=0, system_instruction="Notes", title_instruction="Title please"
    )
)


def reply(messages: Sequence[ChatMessage], sampling: SamplingSettings) -> str:
    if messages[0].text == "Notes":
        return "Talk of the sea." if "Title please" not in messages[-1].text else "The Sea"
    return echo(messages, sampling)


async def test_after_a_reply_the_tab_gets_a_summary_and_a_title(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "hello")
        view = (await terminal.seen(SessionChanged, lambda e: e.view.summary.text != "")).view
        assert (view.title, view.title_by) == ("The Sea", "summarizer")
        assert view.summary.text == "Talk of the sea."
        assert view.summary.up_to == (await terminal.transcript(tab))[-1].message
        await terminal.summarizer(lambda e: e.summarizer.session == tab)
        await terminal.summarizer(lambda e: e.summarizer.session == 0)
    async with running(tmp_path, settings=EAGER) as rig:
        terminal = await rig.connect()
        assert terminal.tabs[tab] == view


async def test_the_lock_shows_the_summarizer_by_its_name(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "hello")
        rig.engine.gate.hold()
        await terminal.client.request(Summarize(0, tab))
        event = await terminal.seen(
            LockChanged, lambda e: e.lock.holder is not None and e.lock.holder.background
        )
        assert event.lock.holder is not None
        assert (event.lock.holder.name, event.lock.holder.session) == ("summarizer", 0)


async def test_a_question_takes_the_lock_from_the_summarizer(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "hello")
        rig.engine.gate.hold()
        await terminal.client.request(Summarize(0, tab))
        await terminal.seen(
            LockChanged, lambda e: e.lock.holder is not None and e.lock.holder.background
        )
        await rig.engine.gate.reached()
        turn = await terminal.send(tab, "me first")
        await terminal.order((tab, turn), (0, 0))
        rig.engine.gate.open()
        await terminal.finished(tab, turn)


async def test_a_summary_of_what_is_no_longer_shown_is_given_up(tmp_path: Path) -> None:
    def of_fruit(messages: Sequence[ChatMessage], sampling: SamplingSettings) -> str:
        if messages[0].text != "Notes":
            return echo(messages, sampling)
        return "Of apples." if "apples" in messages[-1].text else "Of pears."

    async with running(tmp_path, ScriptedEngine(of_fruit), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await terminal.open("Fruit")
        await terminal.client.request(SetSummarizer(0, paused=True))
        await terminal.ask(tab, "apples")
        await terminal.summarizer(lambda e: e.summarizer.pending == (tab,))
        rig.engine.gate.hold()
        await terminal.client.request(SetSummarizer(0, paused=False))
        await rig.engine.gate.reached()
        question = (await terminal.transcript(tab))[0].message
        await terminal.client.request(EditMessage(0, tab, question, "pears"))
        rig.engine.gate.open()
        await terminal.seen(SessionChanged, lambda e: e.view.summary.text == "Of pears.")
        told = [e.view.summary.text for e in terminal.events if isinstance(e, SessionChanged)]
        assert "Of apples." not in told


async def test_a_title_of_a_person_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await terminal.open("Mine")
        await terminal.ask(tab, "hello")
        view = (await terminal.seen(SessionChanged, lambda e: e.view.summary.text != "")).view
        assert (view.title, view.title_by) == ("Mine", "person")


async def test_a_title_taken_back_is_chosen_anew(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await terminal.open("Mine")
        await terminal.ask(tab, "hello")
        await terminal.seen(SessionChanged, lambda e: e.view.summary.text != "")
        await terminal.client.request(RenameSession(0, tab, ""))
        await terminal.seen(SessionChanged, lambda e: e.view.title == "The Sea")


async def test_while_paused_nothing_is_written_and_then_it_is(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        await terminal.client.request(SetSummarizer(0, paused=True))
        tab = await terminal.open()
        await terminal.ask(tab, "hello")
        event = await terminal.summarizer(lambda e: e.summarizer.pending == (tab,))
        assert event.summarizer.paused
        assert rig.engine.lanes == ["foreground"]
        with pytest.raises(HostError, match="paused"):
            await terminal.client.request(Summarize(0, tab))
        await terminal.client.request(SetSummarizer(0, paused=False))
        await terminal.seen(SessionChanged, lambda e: e.view.summary.text != "")


async def test_switched_off_it_still_works_on_demand(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply)) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "hello")
        await terminal.client.request(Summarize(0, tab))
        await terminal.seen(SessionChanged, lambda e: e.view.summary.text != "")


async def test_a_long_conversation_from_elsewhere_is_summarized_from_its_beginning(
    tmp_path: Path,
) -> None:
    said = [
        ImportedMessage(role, f"m{n} " + "word " * 40)
        for n in range(1, 501, 2)
        for role in ("user", "assistant")
    ]
    engine = ScriptedEngine(reply, context_size=4000)
    async with running(tmp_path, engine, settings=EAGER) as rig:
        terminal = await rig.connect()
        asked = await terminal.client.request(ImportConversation(0, "Long", tuple(said)))
        tab = asked.session
        await terminal.client.request(ReopenSession(0, tab))
        newest = (await terminal.transcript(tab))[-1].message
        for _ in range(2):
            before = len(engine.prompts)
            await terminal.client.request(Summarize(0, tab))
            await terminal.summarizer(lambda e: e.summarizer.session == tab)
            await terminal.until(lambda: told_up_to(terminal, tab)[-1] == newest)
            await terminal.until(lambda: idle(terminal))
            questions = [prompt[-1].text for prompt in engine.prompts[before:]]
            assert 2 <= len(questions) <= 8
            assert "User: m1 " in questions[0]
            assert "Summary so far: Talk of the sea." in questions[1]
            assert "Assistant: m499 " in questions[-1]
        told = told_up_to(terminal, tab)
        assert told == sorted(told)


def told_up_to(terminal: Terminal, tab: int) -> list[int]:
    """How far each of the summaries went that this terminal was told of."""
    views = (event.view for event in terminal.events if isinstance(event, SessionChanged))
    return [view.summary.up_to for view in views if view.session == tab]


def idle(terminal: Terminal) -> bool:
    """Whether the summarizer has nothing to do, as the terminal was told last."""
    changes = [event for event in terminal.events if isinstance(event, SummarizerChanged)]
    return changes[-1].summarizer == SummarizerView()


async def test_closing_a_tab_takes_it_from_the_summarizer(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(reply), settings=EAGER) as rig:
        terminal = await rig.connect()
        await terminal.client.request(SetSummarizer(0, paused=True))
        tab = await terminal.open()
        await terminal.ask(tab, "hello")
        await terminal.summarizer(lambda e: e.summarizer.pending == (tab,))
        await terminal.client.request(CloseSession(0, tab))
        status = await terminal.client.request(GetStatus(0))
        assert status.summarizer.pending == ()


async def test_without_a_model_a_summary_on_demand_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        with pytest.raises(HostError, match="no model"):
            await terminal.client.request(Summarize(0, tab))


def test_by_default_the_host_asks_for_summaries_as_the_library_does() -> None:
    ours = _session_settings(SummarizerSettings())
    theirs = notes.SummarizerSettings()
    for mine, other in (
        (ours.for_summary, theirs.for_summary),
        (ours.for_title, theirs.for_title),
    ):
        assert mine.system_instruction == other.system_instruction
        assert mine.sampling.temperature == other.sampling.temperature == 0
        assert mine.sampling.repeat_penalty == other.sampling.repeat_penalty
        assert mine.sampling.max_output_tokens == other.sampling.max_output_tokens
    assert ours.title_question == theirs.title_question
