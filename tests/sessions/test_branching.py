"""Other branches of a conversation, replies that go on, and questions that change while waiting."""

from __future__ import annotations

import pytest
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.errors import GemmaChatError, SettingsError
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.model import InferenceModel


def said(history: tuple[HistoryMessage, ...]) -> list[str]:
    return [message.text for message in history]


async def test_a_session_goes_on_from_another_branch(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session()
    await session.get_response("one")
    first = session.history
    await session.get_response("two")
    await session.go_to(first)
    await session.get_response("other")
    assert said(session.history) == ["one", "1: one", "other", "2: other"]
    assert [m.text for m in engine.prompts[-1]] == ["one", "1: one", "other"]
    # The first exchange was still there: only "other", its end mark and the opening are new.
    assert session.metrics.evaluated_tokens == 3


async def test_another_branch_cannot_be_taken_while_a_turn_runs(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session()
    engine.gate.hold()
    turn = session.start_turn("one")
    with pytest.raises(GemmaChatError, match="cannot take another branch while its turn 1"):
        await session.go_to(())
    engine.gate.open()
    await turn.finished()


async def test_turn_numbers_grow_over_all_branches(model: InferenceModel) -> None:
    session = await model.open_session()
    await session.get_response("one")
    await session.get_response("two")
    await session.go_to(())
    assert session.context_used == 0
    assert session.start_turn("again").number == 3


async def test_one_turn_can_sample_in_its_own_way(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session(temperature=0.5)
    await session.start_turn("one", sampling=SamplingSettings(temperature=1.5)).finished()
    await session.get_response("two")
    assert [sampling.temperature for sampling in engine.samplings] == [1.5, 0.5]
    with pytest.raises(SettingsError, match="temperature"):
        session.start_turn("three", sampling=SamplingSettings(temperature=-1))


async def test_a_cut_reply_goes_on_from_its_own_tokens(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session(max_output_tokens=2)
    assert await session.get_response("a b c d") == "1: a"
    turn = session.continue_response(sampling=SamplingSettings(max_output_tokens=3))
    result = await turn.finished()
    assert engine.prompts[-1][-1].text == "1: a"
    assert result.kept
    assert said(session.history) == ["a b c d", "1: a1: a b"]
    assert session.metrics.evaluated_tokens == 1


async def test_a_question_after_a_continued_reply_sees_all_of_it(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session(max_output_tokens=2)
    await session.get_response("a b")
    await session.continue_response().finished()
    await session.get_response("next")
    assert [m.text for m in engine.prompts[-1]] == ["a b", "1: a1: a", "next"]


async def test_a_continuation_that_is_stopped_at_once_leaves_the_reply_as_it_was(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session(max_output_tokens=2)
    await session.get_response("a b")
    engine.gate.hold()
    turn = session.continue_response()
    await engine.gate.reached()
    turn.stop()
    result = await turn.finished()
    assert (result.reason, result.kept) == ("stopped", True)
    assert said(session.history) == ["a b", "1: a"]


async def test_there_must_be_a_reply_to_go_on_from(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session()
    with pytest.raises(GemmaChatError, match="no reply that can go on"):
        session.continue_response()
    engine.gate.hold()
    turn = session.start_turn("one")
    with pytest.raises(GemmaChatError, match="cannot continue a reply while its turn 1"):
        session.continue_response()
    engine.gate.open()
    await turn.finished()


async def test_waiting_turns_can_exchange_their_questions(
    model: InferenceModel, engine: ScriptedEngine
) -> None:
    session = await model.open_session()
    engine.gate.hold()
    running, second, third = (session.start_turn(text) for text in ("one", "two", "three"))
    await engine.gate.reached()
    assert session.rephrase({second.number: "three", third.number: "two"})
    assert not session.rephrase({running.number: "four", third.number: "five"})
    assert not session.rephrase({99: "six"})
    engine.gate.open()
    await third.finished()
    assert said(session.history)[::2] == ["one", "three", "two"]
    assert not session.rephrase({third.number: "late"})
