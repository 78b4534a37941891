"""A window that is nearly full: what takes the place of the oldest exchanges, and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.sessions.gate import DEADLINE
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.errors import ContextOverflowError, ModelClosedError, SettingsError
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.conversation import Conversation
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.replacement import NO_DIGEST, Digest, Replacement

ANSWER = "answer " * 18 + "end"


def exchanges(count: int, pinned: int = -1) -> list[HistoryMessage]:
    """A history of exchanges of 43 tokens each."""
    return [
        HistoryMessage(role, f"{role} {number} " + "word " * 17, number, pinned=number == pinned)
        for number in range(1, count + 1)
        for role in ("user", "assistant")
    ]


def seen(engine: ScriptedEngine) -> list[str]:
    """The first two words of every message of the newest prompt."""
    return [" ".join(message.text.split()[:2]) for message in engine.prompts[-1]]


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine(lambda *_: ANSWER, context_size=400)


@pytest.fixture
async def model(engine: ScriptedEngine) -> AsyncIterator[InferenceModel]:
    async with InferenceModel(engine) as model:
        yield model
    assert engine.violations == []


async def make_room(chat: Chat) -> None:
    """Let room be made, and wait until it is."""
    made = asyncio.Event()
    unsubscribe = chat.subscribe(lambda _: made.set())
    assert await chat.make_room()
    async with asyncio.timeout(DEADLINE):
        await made.wait()
    unsubscribe()


async def long_chat(model: InferenceModel, count: int = 6, **more: int) -> Chat:
    return await model.open_chat(history=exchanges(count, **more), system_instruction="Be kind")


async def test_a_nearly_full_window_is_made_room_in_before_the_next_question(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    told: list[TurnsDropped] = []
    chat.subscribe(told.append)
    chat.digest = Digest("They told each other numbers.", 6)
    await make_room(chat)
    (made,) = chat.replacements
    assert made == Replacement(4, 6, "They told each other numbers.", 6)
    (event,) = told
    assert (event.turn, event.dropped, event.left_out, event.summarized) == (0, 4, 4, 4)
    assert chat.context_used == event.prompt_tokens < 150
    await chat.get_response("what now?")
    assert seen(engine) == [
        *["Be kind", "This is", "I have"],
        *["user 5", "assistant 5", "user 6", "assistant 6", "what now?"],
    ]
    assert chat.metrics.evaluated_tokens < 10
    assert len(chat.history) == 14


async def test_the_same_prompt_begins_the_turns_that_follow(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 6)
    await make_room(chat)
    for number in range(3):
        await chat.get_response(f"question {number}")
        chat.digest = Digest(f"Numbers, and {number}.", 7 + number)
        assert chat.metrics.evaluated_tokens < 10
    assert len(chat.replacements) == 1
    assert "Numbers.\n" in f"{engine.prompts[-1][1].text}\n"


async def test_a_window_with_room_is_left_alone(model: InferenceModel) -> None:
    chat = await long_chat(model, 3)
    chat.digest = Digest("Numbers.", 3)
    assert not await chat.make_room()
    assert chat.replacements == ()


async def test_a_question_that_comes_first_uses_the_whole_window_while_it_fits(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 6)
    engine.gate.hold()
    assert await chat.make_room()
    await engine.gate.reached()
    turn = chat.start_turn("quick")
    engine.gate.open()
    await turn.finished()
    assert seen(engine)[1] == "user 1"
    assert chat.replacements == ()
    await make_room(chat)
    assert chat.replacements[-1].since == 7


async def test_a_question_that_needs_the_room_takes_what_was_prepared(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 6)
    engine.gate.hold()
    assert await chat.make_room()
    await engine.gate.reached()
    chat.digest = Digest("Another text.", 6)
    turn = chat.start_turn("long " * 60)
    engine.gate.open()
    await turn.finished()
    assert "Numbers." in engine.prompts[-1][1].text
    assert chat.replacements == (Replacement(4, 6, "Numbers.", 6),)


async def test_without_a_summary_the_oldest_are_left_out_until_there_is_one(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    await make_room(chat)
    assert chat.replacements == (Replacement(3, 6),)
    chat.digest = Digest("They told each other numbers.", 6)
    await make_room(chat)
    assert chat.replacements == (Replacement(3, 6, "They told each other numbers.", 6),)
    await chat.get_response("what now?")
    assert seen(engine)[1] == "This is"


async def test_a_turn_that_crosses_the_line_unprepared_decides_by_itself_and_says_so(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model, 7)
    told: list[TurnsDropped] = []
    chat.subscribe(told.append)
    chat.digest = Digest("Of the first two.", 2)
    await chat.get_response("what now?")
    (event,) = told
    assert (event.turn, event.left_out, event.summarized) == (8, 5, 2)
    assert chat.replacements == (Replacement(5, 7, "Of the first two.", 2),)


async def test_a_turn_that_leaves_nothing_decides_nothing(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model, 7)
    engine.gate.hold()
    turn = chat.start_turn("what now?")
    await engine.gate.reached()
    turn.stop()
    engine.gate.open()
    await turn.finished()
    assert chat.replacements == ()


async def test_a_pinned_exchange_stays_behind_the_summary(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model, pinned=2)
    chat.digest = Digest("Numbers.", 6)
    await make_room(chat)
    await chat.get_response("what now?")
    assert seen(engine)[1:5] == ["This is", "I have", "user 2", "assistant 2"]
    assert chat.left_out == chat.replacements[-1].exchanges - 1
    again = await model.open_chat(history=chat.history, replacements=chat.replacements)
    assert again.left_out == chat.left_out


async def test_a_long_summary_loses_its_middle(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("first " + "middle " * 500 + "last", 6)
    await make_room(chat)
    summary = chat.replacements[-1].summary
    assert summary.startswith("first")
    assert summary.endswith("last")
    assert engine.count_tokens(summary) <= 50


async def test_history_and_decisions_make_the_same_prompt_again(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 6)
    await make_room(chat)
    await chat.get_response("what now?")
    stored = chat.history, chat.replacements
    await chat.get_response("and then?")
    expected = engine.prompts[-1]
    again = await model.open_chat(
        history=stored[0], replacements=stored[1], system_instruction="Be kind"
    )
    await again.get_response("and then?")
    assert engine.prompts[-1] == expected
    fork = await chat.fork()
    assert fork.replacements == chat.replacements


async def test_going_back_before_a_decision_takes_it_back(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 6)
    await make_room(chat)
    await chat.rewind(5)
    assert chat.replacements == ()
    await chat.go_to(exchanges(5))
    await chat.get_response("again")
    assert seen(engine)[1] == "user 1"


async def test_a_summary_of_what_was_left_behind_is_not_told_on_another_branch(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 4)
    await chat.rewind(4)
    assert chat.digest.text == "Numbers."
    await chat.go_to([*exchanges(4), *exchanges(3)])
    assert chat.digest.text == "Numbers."
    await chat.rewind(3)
    assert chat.digest == NO_DIGEST
    chat.digest = Digest("Three numbers.", 3)
    await chat.go_to([*exchanges(2), *exchanges(6)])
    await chat.get_response("what now?")
    assert chat.left_out
    assert not any("Three numbers." in message.text for message in engine.prompts[-1])


async def test_a_continuation_that_never_began_decides_nothing(model: InferenceModel) -> None:
    """What was decided on another branch does not come back with it."""
    chat = await long_chat(model)
    chat.digest = Digest("Numbers.", 6)
    await chat.get_response("what now? " * 60)
    assert chat.replacements
    too_long = HistoryMessage("assistant", "told " * 390)
    await chat.go_to([HistoryMessage("user", "Tell all."), too_long])
    result = await chat.continue_response().finished()
    assert isinstance(result.error, ContextOverflowError)
    assert chat.replacements == ()


async def test_dropping_needs_no_summary_and_stopping_refuses(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    wrong: Any = "forget"
    dropping = await model.open_chat(history=exchanges(7), overflow="drop")
    dropping.digest = Digest("Numbers.", 7)
    await dropping.get_response("what now?")
    assert seen(engine)[0] == "user 5"
    stopping = await model.open_chat(history=exchanges(9), overflow="stop")
    assert not await stopping.make_room()
    with pytest.raises(ContextOverflowError, match=r"is full.*set to stop.*new tab"):
        await stopping.get_response("what now?")
    assert len(stopping.history) == 18
    with pytest.raises(SettingsError, match=r"overflow = 'forget'.*summary or drop or stop"):
        await model.open_chat(overflow=wrong)


async def test_a_reply_that_filled_the_window_goes_on_with_room_made_for_it(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    history = [
        *exchanges(6),
        HistoryMessage("user", "Tell all."),
        HistoryMessage("assistant", "x "),
    ]
    chat = await model.open_chat(history=history)
    chat.digest = Digest("Numbers.", 6)
    await chat.session.go_to([*history[:-1], HistoryMessage("assistant", "told " * 120)])
    result = await chat.continue_response().finished()
    assert result.kept
    assert chat.replacements[-1].since == 7
    assert "Numbers." in engine.prompts[-1][0].text
    assert chat.history[-1].text.startswith("told told")


async def test_what_the_model_sees_is_shown_part_by_part(
    engine: ScriptedEngine, model: InferenceModel
) -> None:
    chat = await long_chat(model, pinned=1)
    chat.digest = Digest("They told each other numbers.", 6)
    await make_room(chat)
    context = chat.context()
    assert [(part.kind, part.title[:6]) for part in context.parts] == [
        ("system", ""),
        ("summary", ""),
        ("pinned", "user 1"),
        ("exchange", "user 5"),
        ("exchange", "user 6"),
        ("opening", ""),
    ]
    assert context.parts[0].text == "<system>Be kind<end>"
    assert "They told each other numbers." in context.parts[1].text
    assert (context.left_out, context.summarized, context.room) == (3, 3, 100)


async def test_a_plan_is_made_of_the_conversation_as_it_was_when_it_was_asked_for(
    model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await long_chat(model)
    plan, begun, goes_on = Conversation.plan, threading.Event(), threading.Event()
    planned: list[int] = []

    def plan_later(conversation: Conversation) -> Replacement | None:
        begun.set()
        goes_on.wait(DEADLINE)
        planned.append(len(conversation.exchanges))
        return plan(conversation)

    monkeypatch.setattr(Conversation, "plan", plan_later)
    planning = asyncio.create_task(chat.make_room())
    await asyncio.to_thread(begun.wait, DEADLINE)
    await chat.rewind(2)
    goes_on.set()
    assert not await planning
    assert planned == [6]
    assert chat.replacements == ()


async def test_a_length_that_was_counted_of_an_older_conversation_is_not_remembered(
    engine: ScriptedEngine, model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await long_chat(model, 2)
    count, begun, goes_on = Conversation.count_tokens, threading.Event(), threading.Event()

    def count_slowly(conversation: Conversation) -> int:
        counted = count(conversation)
        begun.set()
        goes_on.wait(DEADLINE)
        return counted

    monkeypatch.setattr(Conversation, "count_tokens", count_slowly)
    counting = asyncio.create_task(asyncio.to_thread(lambda: chat.context_used))
    await asyncio.to_thread(begun.wait, DEADLINE)
    await chat.get_response("what now?")
    longer = chat.context_used
    goes_on.set()
    assert await counting == chat.context_used == longer


async def test_the_engine_is_not_closed_while_another_thread_uses_it() -> None:
    engine = ScriptedEngine()
    model = InferenceModel(engine)
    session = await model.open_session()
    await session.get_response("hello")
    with model.engine_thread.reading():
        closing = asyncio.create_task(model.close())
        await asyncio.sleep(0)
        assert engine.closed == 0
        assert engine.count_tokens("still there") == 2
    await closing
    assert engine.closed == 1
    with pytest.raises(ModelClosedError), model.engine_thread.reading():
        pytest.fail("the engine is closed")


@pytest.mark.parametrize("counts", ["session", "model"])
async def test_the_engine_is_not_closed_while_another_thread_counts_tokens(
    monkeypatch: pytest.MonkeyPatch, counts: str
) -> None:
    """As the summarizer does with long conversations."""
    engine = ScriptedEngine()
    model = InferenceModel(engine)
    session = await model.open_session()
    await session.get_response("hello")
    begun, goes_on = threading.Event(), threading.Event()

    def slowly(text: str) -> int:
        begun.set()
        goes_on.wait(60)
        return -engine.closed

    monkeypatch.setattr(engine, "count_tokens", slowly)
    counter = session if counts == "session" else model
    counting = asyncio.create_task(asyncio.to_thread(counter.size_in_tokens, "a long text"))
    await asyncio.to_thread(begun.wait, 60)
    closing = asyncio.create_task(model.close())
    done, _ = await asyncio.wait({closing}, timeout=0.05)
    goes_on.set()
    assert await counting == 0
    assert not done
    await closing
