"""The summarizer works in the gaps, one conversation at a time, and never in anybody's way."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from tests.sessions.conftest import assert_used_well
from tests.sessions.scripted import ScriptedEngine
from tests.sessions.words import words

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.config.summarizer import SUMMARY_INSTRUCTION
from gemma_chat.engine.interface import ChatMessage
from gemma_chat.errors import ContextOverflowError
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.summarizer import Summarizer
from gemma_chat.sessions.summary import (
    TASK,
    TITLE_QUESTION,
    SummarizerSettings,
    Summary,
    SummaryMessage,
)


def reply(messages: Sequence[ChatMessage], _: SamplingSettings) -> str:
    """Names what it was asked, so that a test sees which conversation reached which summary."""
    if messages[0].text != SUMMARY_INSTRUCTION:
        return f"reply to {messages[-1].text}"
    asked = messages[-1].text
    if asked.startswith(TITLE_QUESTION[:20]):
        return '"Title of ' + asked.splitlines()[-2].split()[1] + '"'
    return "Summary: about " + asked.removeprefix(TASK).replace("\n", " ")


def told(text: str, number: int = 1) -> list[SummaryMessage]:
    return [
        SummaryMessage(number, "user", text),
        SummaryMessage(number + 1, "assistant", f"{text} indeed"),
    ]


class Results:
    """What the summarizer handed over, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list[Summary] = []
        self.changed = asyncio.Event()

    def __call__(self, summary: Summary) -> None:
        self.all.append(summary)
        self.changed.set()

    async def next(self) -> Summary:
        await self.until(lambda: bool(self.all))
        return self.all.pop(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds, looking again at every result and every change."""
        while not condition():
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(reply)


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
async def summarizer(model: InferenceModel, results: Results) -> AsyncIterator[Summarizer]:
    summarizer = Summarizer(model, on_result=results, on_change=results.changed.set)
    await summarizer.start()
    yield summarizer
    await summarizer.close()
    await summarizer.close()


async def test_a_summary_and_a_title_are_written_by_a_background_session(
    engine: ScriptedEngine, model: InferenceModel, summarizer: Summarizer, results: Results
) -> None:
    summarizer.schedule("rome", told("Rome"), previous="Old notes.", needs_title=True)
    summary = await results.next()
    assert (summary.key, summary.up_to, summary.title) == ("rome", 2, "Title of Rome")
    assert summary.text.startswith("about   Summary so far: Old notes.  The conversation")
    assert engine.lanes == ["background", "background"]
    assert [s.max_output_tokens for s in engine.samplings] == [160, 16]
    session = summarizer.session
    assert session is not None
    assert session.background
    assert model.sessions == (session,)


async def test_a_title_that_a_small_model_made_up_gives_way_to_the_first_words(
    engine: ScriptedEngine, summarizer: Summarizer, results: Results
) -> None:
    engine.description = dataclasses.replace(engine.description, parameters=135_000_000)
    summarizer.schedule("k", told("Am I ok?\nOr not?"), needs_title=True)
    assert (await results.next()).title == "Am I ok?"


async def test_no_title_is_asked_for_when_none_is_needed(
    engine: ScriptedEngine, summarizer: Summarizer, results: Results
) -> None:
    summarizer.schedule(7, told("Rome"))
    assert (await results.next()).title is None
    assert len(engine.prompts) == 1


async def test_one_conversation_never_reaches_the_summary_of_another(
    engine: ScriptedEngine, summarizer: Summarizer, results: Results
) -> None:
    for name in ("alpha", "beta", "gamma"):
        summarizer.schedule(name, told(name), needs_title=True)
    for name in ("alpha", "beta", "gamma"):
        summary = await results.next()
        assert summary.key == name
        assert summary.title == f"Title of {name}"
        assert [other in summary.text for other in ("alpha", "beta", "gamma")].count(True) == 1


async def test_a_person_takes_the_lock_at_once_and_the_summary_goes_on_exactly(
    engine: ScriptedEngine, model: InferenceModel, summarizer: Summarizer, results: Results
) -> None:
    person = await model.open_session()
    engine.gate.hold()
    summarizer.schedule("rome", told("Rome"))
    await engine.gate.let_pass(3)
    turn = person.start_turn("hello")
    engine.gate.open()
    assert (await turn.finished()).text == "reply to hello"
    summary = await results.next()
    assert summary.text == "about   User: Rome Assistant: Rome indeed  Write the summary now."
    work = [number for what, number in engine.order if what != "give_way"]
    assert work == [0, 0, 0, *[1] * 4, *[0] * (len(work) - 7)]


async def test_the_newest_state_of_a_waiting_conversation_wins_in_its_place(
    engine: ScriptedEngine, summarizer: Summarizer, results: Results
) -> None:
    engine.gate.hold()
    summarizer.schedule("first", told("first"))
    await results.until(lambda: summarizer.current == "first")
    summarizer.schedule("a", told("old"))
    summarizer.schedule("b", told("b"))
    summarizer.schedule("a", told("new"))
    assert summarizer.pending == ("a", "b")
    engine.gate.open()
    assert [(await results.next()).key for _ in range(3)] == ["first", "a", "b"]
    assert ["old" in prompt[-1].text for prompt in engine.prompts] == [False] * 3


async def test_what_came_during_a_summary_is_added_to_it_afterwards(
    engine: ScriptedEngine, summarizer: Summarizer, results: Results
) -> None:
    engine.gate.hold()
    summarizer.schedule("k", told("Rome"), needs_title=True)
    await engine.gate.reached()
    summarizer.schedule("k", [*told("Rome"), *told("Oslo", 3)], needs_title=True)
    engine.gate.open()
    first, second = await results.next(), await results.next()
    assert (first.up_to, first.title) == (2, "Title of Rome")
    assert (second.up_to, second.title) == (4, None)
    question = engine.prompts[-1][-1].text
    assert first.text in question
    assert "User: Oslo" in question.split("went on:")[-1]
    assert "User: Rome" not in question.split("went on:")[-1]


async def test_a_cancelled_conversation_is_forgotten_also_while_it_is_worked_on(
    engine: ScriptedEngine, summarizer: Summarizer, results: Results
) -> None:
    engine.gate.hold()
    for name in ("running", "waiting", "kept"):
        summarizer.schedule(name, told(name))
    await engine.gate.let_pass(2)
    summarizer.cancel("running")
    summarizer.cancel("waiting")
    summarizer.cancel("unknown")
    engine.gate.open()
    assert (await results.next()).key == "kept"
    assert results.all == []


async def test_a_paused_summarizer_puts_its_work_back_and_goes_on_later(
    engine: ScriptedEngine, model: InferenceModel, summarizer: Summarizer, results: Results
) -> None:
    engine.gate.hold()
    summarizer.schedule("a", told("a"))
    summarizer.schedule("b", told("b"))
    await engine.gate.let_pass(2)
    summarizer.pause()
    summarizer.pause()
    assert summarizer.pending == ("a", "b")
    await results.until(lambda: summarizer.current is None)
    engine.gate.open()
    summarizer.schedule("c", told("c"))
    person = await model.open_session()
    await person.get_response("x")
    assert (summarizer.paused, summarizer.current, results.all) == (True, None, [])
    summarizer.resume()
    assert [(await results.next()).key for _ in range(3)] == ["a", "b", "c"]


async def test_every_change_of_what_is_shown_is_announced(
    engine: ScriptedEngine, model: InferenceModel, results: Results
) -> None:
    shown: list[tuple[object, tuple[object, ...], bool]] = []

    def note() -> None:
        shown.append((summarizer.current, summarizer.pending, summarizer.paused))
        results.changed.set()

    summarizer = Summarizer(model, on_result=results, on_change=note)
    await summarizer.start()
    await summarizer.start()
    summarizer.schedule("a", told("a"))
    await results.next()
    await results.until(lambda: summarizer.current is None)
    summarizer.pause()
    await summarizer.close()
    assert shown == [
        (None, ("a",), False),
        ("a", (), False),
        (None, (), False),
        (None, (), True),
    ]


async def test_a_job_that_fails_costs_only_itself(
    engine: ScriptedEngine,
    summarizer: Summarizer,
    results: Results,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine.fail_next_begin(ContextOverflowError("too long"))
    summarizer.schedule("bad", told("bad"))
    summarizer.schedule("good", told("good"))
    assert (await results.next()).key == "good"
    assert "no summary for 'bad': too long" in caplog.text


async def test_nothing_is_done_for_messages_that_say_nothing(
    engine: ScriptedEngine, summarizer: Summarizer
) -> None:
    summarizer.schedule("k", [])
    summarizer.schedule("k", told("")[:1])
    assert summarizer.pending == ()


async def test_a_failing_receiver_does_not_end_the_summarizer(
    engine: ScriptedEngine, model: InferenceModel, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[object] = []
    done = asyncio.Event()

    def receive(summary: Summary) -> None:
        got.append(summary.key)
        if len(got) == 2:
            done.set()
        raise OSError("disk full")

    summarizer = Summarizer(model, on_result=receive)
    await summarizer.start()
    summarizer.schedule(1, told("a"))
    summarizer.schedule(2, told("b"))
    await done.wait()
    await summarizer.close()
    assert "the receiver of summaries failed" in caplog.text


async def test_a_huge_conversation_is_read_stretch_by_stretch_in_half_the_window() -> None:
    engine = ScriptedEngine(reply, context_size=1000)
    results = Results()
    async with InferenceModel(engine) as model:
        settings = SummarizerSettings(summary_tokens=50)
        summarizer = Summarizer(model, on_result=results, settings=settings)
        await summarizer.start()
        messages = [
            SummaryMessage(number, "user", f"m{number} " + "word " * 300) for number in range(1, 50)
        ]
        summarizer.schedule("k", messages, previous="note " * 3000, needs_title=True)
        summarizer.schedule("other", told("Rome"))
        await results.until(lambda: any(one.whole and one.key == "k" for one in results.all))
        await summarizer.close()
    summaries = [one for one in results.all if one.key == "k"]
    assert [one.up_to for one in summaries] == [7, 13, 19, 25, 31, 37, 43, 49]
    assert [one.title is not None for one in summaries] == [True] + [False] * 7
    assert [one.key for one in results.all[:3]] == ["k", "other", "k"]
    asked = [prompt for prompt in engine.prompts if "User: m" in prompt[-1].text]
    assert max(sum(len(words(message.text)) for message in prompt) for prompt in asked) <= 500
    told_in = [prompt[-1].text for prompt in asked]
    assert all(f"m{n} " in "".join(told_in) for n in range(1, 50))
    assert summaries[-2].text[:40] in told_in[-1]
    assert_used_well(engine)


async def test_what_is_new_is_not_added_to_a_part_of_a_summary_that_is_written_anew() -> None:
    engine = ScriptedEngine(reply, context_size=1000)
    results = Results()
    async with InferenceModel(engine) as model:
        summarizer = Summarizer(model, on_result=results)
        await summarizer.start()
        engine.gate.hold()
        long = [SummaryMessage(n, "user", f"m{n} " + "word " * 300) for n in range(1, 5)]
        summarizer.schedule("k", long)
        await engine.gate.reached()
        summarizer.schedule("k", told("new", 5), previous="All of it.")
        engine.gate.open()
        await results.until(lambda: len(results.all) == 2)
        await summarizer.close()
    assert [(one.up_to, one.whole) for one in results.all] == [(1, False), (6, True)]
    assert "Summary so far: All of it." in engine.prompts[-1][-1].text


async def test_closing_the_model_ends_the_summarizer(
    engine: ScriptedEngine, results: Results
) -> None:
    model = InferenceModel(engine)
    summarizer = Summarizer(model, on_result=results, on_change=results.changed.set)
    await summarizer.start()
    engine.gate.hold()
    summarizer.schedule("a", told("a"))
    summarizer.schedule("b", told("b"))
    await engine.gate.let_pass(4)
    await model.close()
    await results.until(lambda: summarizer.current is None)
    await summarizer.close()
    assert results.all == []
    assert_used_well(engine)
