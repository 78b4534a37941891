"""A tab whose context fills: its oldest messages give way to their summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.host.rig import QUIET, Rig, Terminal, running
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.settings import EngineSettings, Settings, SummarizerSettings
from gemma_chat.engine.interface import ChatMessage
from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    ChangeSettings,
    DeleteMessage,
    EditMessage,
    ForkFrom,
    Notice,
    PinMessage,
    ReplacedView,
    SelectBranch,
    SessionChanged,
    SetSummarizer,
    ShowContext,
)
from gemma_chat.host.summaries import told_of
from gemma_chat.store.records import Attachment, Message, ToolUse

EAGER = Settings(summarizer=SummarizerSettings(delay=0, system_instruction="Notes"))


def reply(messages: Sequence[ChatMessage], sampling: SamplingSettings) -> str:
    if messages[0].text == "Notes":
        return "Talk of numbers."
    return "answer " * 18 + "end"


def engine() -> ScriptedEngine:
    return ScriptedEngine(reply, context_size=400)


def question(number: int) -> str:
    return f"question {number} " + "word " * 17


def seen(rig: Rig) -> list[str]:
    """The first two words of every message of the newest prompt of a tab."""
    prompts = [one for one in rig.engine.prompts if one[0].text != "Notes"]
    return [" ".join(message.text.split()[:2]) for message in prompts[-1]]


async def ask(terminal: Terminal, tab: int, *numbers: int) -> None:
    for number in numbers:
        await terminal.ask(tab, question(number))


async def replaced(terminal: Terminal, tab: int) -> ReplacedView:
    """What is replaced, as soon as there is something and the summary tells of all of it.

    Where it is written slower than questions are asked, what it does not tell yet goes first.
    """
    changed = await terminal.seen(
        SessionChanged,
        lambda e: (
            e.view.session == tab and 0 < e.view.replaced.messages == e.view.replaced.summarized
        ),
    )
    return changed.view.replaced


async def filled(terminal: Terminal) -> int:
    """A tab of six exchanges, the oldest of which are replaced."""
    tab = await terminal.open()
    await ask(terminal, tab, *range(1, 7))
    await replaced(terminal, tab)
    return tab


async def test_the_summary_takes_their_place_before_the_question_that_needs_the_room(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        view = await replaced(terminal, tab)
        transcript = await terminal.transcript(tab)
        assert len(transcript) == 12
        assert view.summary == "Talk of numbers."
        assert view.messages == view.summarized == 2 * round(view.messages / 2)
        assert view.up_to == transcript[view.messages - 1].message
        assert terminal.tabs[tab].context_used < 200
        done = await terminal.ask(tab, "and now?")
        assert seen(rig)[0] == "This is"
        assert done.metrics.evaluated_tokens < 10
        assert not [one for one in terminal.events if isinstance(one, Notice)]


async def test_a_restarted_host_makes_the_same_prompt(tmp_path: Path) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        await terminal.ask(tab, "and now?")
        before = next(p for p in reversed(rig.engine.prompts) if p[-1].text == "and now?")
        view = terminal.tabs[tab].replaced
    async with running(tmp_path, engine(), settings=QUIET) as rig:
        terminal = await rig.connect()
        assert terminal.tabs[tab].replaced == view
        await terminal.ask(tab, "go on")
        assert rig.engine.prompts[-1][: len(before)] == before


async def test_without_a_summarizer_the_tab_says_what_the_model_no_longer_sees(
    tmp_path: Path,
) -> None:
    off = Settings(summarizer=QUIET.summarizer, engine=EngineSettings(anticipate=False))
    async with running(tmp_path, engine(), settings=off) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await ask(terminal, tab, *range(1, 9))
        notice = await terminal.seen(Notice)
        assert "no longer sees" in notice.text
        view = terminal.tabs[tab].replaced
        assert (view.summarized, view.summary) == (0, "")
        assert view.messages > 4


async def test_each_branch_has_what_was_decided_on_it(tmp_path: Path) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        transcript = await terminal.transcript(tab)
        edited = await terminal.client.request(
            EditMessage(0, tab, transcript[2].message, "another second question")
        )
        await terminal.finished(tab, edited.turn)
        assert seen(rig) == ["question 1", "answer answer", "another second"]
        assert terminal.tabs[tab].replaced == ReplacedView()
        shown = (await terminal.transcript(tab))[2].message
        await terminal.client.request(SelectBranch(0, tab, shown, 1))
        await terminal.ask(tab, "and now?")
        assert seen(rig)[0] == "This is"


async def test_a_fork_takes_over_what_was_decided(tmp_path: Path) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        last = (await terminal.transcript(tab))[-1].message
        fork = (await terminal.client.request(ForkFrom(0, tab, last))).session
        assert terminal.tabs[fork].replaced.messages == terminal.tabs[tab].replaced.messages
        assert terminal.tabs[fork].summary.text == "Talk of numbers."
        await terminal.ask(fork, "and now?")
        assert seen(rig)[0] == "This is"


async def test_a_resumed_forked_or_cut_conversation_shows_the_context_it_takes(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, engine()) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await ask(terminal, tab, 1, 2)
        used = terminal.tabs[tab].context_used
    async with running(tmp_path, engine()) as rig:
        terminal = await rig.connect()
        assert terminal.tabs[tab].context_used == used > 80
        transcript = await terminal.transcript(tab)
        first, last = transcript[1].message, transcript[-1].message
        fork = (await terminal.client.request(ForkFrom(0, tab, first))).session
        await terminal.seen(
            SessionChanged,
            lambda e: e.view.session == fork and 40 < e.view.context_used < used,
        )
        await terminal.client.request(
            DeleteMessage(0, tab, transcript[2].message, newest=last, scope="following")
        )
        await terminal.seen(
            SessionChanged, lambda e: e.view.session == tab and e.view.context_used < used
        )


async def test_a_pinned_message_comes_back_into_the_context(tmp_path: Path) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        before = terminal.tabs[tab].replaced.messages
        pinned = (await terminal.transcript(tab))[1].message
        await terminal.client.request(PinMessage(0, tab, pinned, pinned=True))
        assert terminal.tabs[tab].replaced.messages == before - 2
        await terminal.ask(tab, "and now?")
        assert seen(rig)[2:4] == ["question 1", "answer answer"]


async def test_a_pin_set_while_a_reply_is_written_holds_from_the_next_turn_on(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        first = (await terminal.transcript(tab))[0].message
        rig.engine.gate.hold()
        turn = await terminal.send(tab, "and now?")
        await rig.engine.gate.reached()
        await terminal.client.request(PinMessage(0, tab, first, pinned=True))
        rig.engine.gate.open()
        await terminal.finished(tab, turn)
        await terminal.ask(tab, "once more")
        assert "question 1" in seen(rig)


async def test_a_deleted_message_is_told_of_by_no_summary(tmp_path: Path) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        transcript = await terminal.transcript(tab)
        await terminal.client.request(SetSummarizer(0, paused=True))
        first, last = transcript[0].message, transcript[-1].message
        await terminal.client.request(DeleteMessage(0, tab, first, newest=last))
        assert terminal.tabs[tab].replaced == ReplacedView()
        assert terminal.tabs[tab].summary.text == ""


async def test_the_context_is_shown_part_by_part_as_the_model_sees_it(tmp_path: Path) -> None:
    async with running(tmp_path, engine(), settings=EAGER) as rig:
        terminal = await rig.connect()
        tab = await filled(terminal)
        shown = await terminal.client.request(ShowContext(0, tab))
        kinds = [part.kind for part in shown.parts]
        assert kinds[0] == "summary"
        assert kinds[-1] == "opening"
        assert "Talk of numbers." in shown.parts[0].text
        assert shown.parts[1].title.startswith("question")
        assert shown.replaced == terminal.tabs[tab].replaced
        assert (shown.context_size, shown.room) == (400, 100)
        used = sum(part.tokens for part in shown.parts[:-1])
        assert used == terminal.tabs[tab].context_used - 1


async def test_the_context_of_no_model_or_no_tab_is_a_sentence(tmp_path: Path) -> None:
    async with running(tmp_path, load=False) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        with pytest.raises(HostError, match="load one first"):
            await terminal.client.request(ShowContext(0, tab))
        with pytest.raises(HostError, match="no open tab"):
            await terminal.client.request(ShowContext(0, 99))


async def test_a_tab_that_stops_when_it_is_full_refuses_with_the_remedy(tmp_path: Path) -> None:
    async with running(tmp_path, engine()) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.client.request(ChangeSettings(0, tab, SessionSettings(overflow="stop")))
        await ask(terminal, tab, *range(1, 9))
        done = await terminal.ask(tab, question(9) * 2)
        assert done.reason == "failed"
        assert "set to stop" in done.error
        assert terminal.tabs[tab].replaced == ReplacedView()


def test_the_summarizer_is_told_of_files_and_calls() -> None:
    message = Message(
        message=1,
        session=1,
        turn=1,
        role="user",
        text="Look.",
        state="complete",
        created=0,
        attachments=(Attachment("cat.png", "0", "image", "png", 1),),
        asides=(ToolUse(at=0, name="clock", result="noon " * 100),),
    )
    said = told_of(message)
    assert said.startswith("[image: cat.png] [called clock: noon noon")
    assert said.endswith("noon ] Look.")
    assert len(said) < 260
