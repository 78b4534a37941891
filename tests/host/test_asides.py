"""Thoughts and tool calls of a turn as terminals see them, and as the model knows them later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.host.rig import Rig, running
from tests.sessions.scripted import Said, ScriptedEngine

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ChatMessage, ReplyPart, ToolCall
from gemma_chat.host.asides import Asides
from gemma_chat.host.context import history_of
from gemma_chat.host.protocol import AsideChanged, MessageRemoved, Thought
from gemma_chat.sessions.history import HistoryMessage, ToolResult, flatten, restore
from gemma_chat.store.records import Aside, Message, ToolUse
from gemma_chat.store.records import Thought as StoredThought

THINKS = ReplyPart("thinking", "Hm.")


def thinker(messages: Sequence[ChatMessage], _: SamplingSettings) -> Said:
    return [THINKS] if "only" in messages[-1].text else [THINKS, "It is", " noon."]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path, ScriptedEngine(thinker)) as rig:
        yield rig


async def test_a_thought_is_told_and_stored_apart_from_the_text(rig: Rig) -> None:
    terminal = await rig.connect()
    tab = await terminal.open()
    await terminal.ask(tab, "What time is it?")
    begun, *_, ended = [one.aside for one in terminal.events if isinstance(one, AsideChanged)]
    assert isinstance(begun, Thought)
    assert isinstance(ended, Thought)
    assert (begun.text, begun.seconds, ended.text) == ("Hm.", 0.0, "Hm.")
    assert ended.seconds > 0
    assert terminal.heard(tab, 1) == "It is noon."
    reply = (await terminal.transcript(tab))[-1]
    assert (reply.text, reply.asides) == ("It is noon.", (ended,))


async def test_a_turn_that_only_thought_shows_the_thought_and_says_what_to_do(rig: Rig) -> None:
    terminal = await rig.connect()
    tab = await terminal.open()
    await terminal.ask(tab, "only think")
    question, reply = await terminal.transcript(tab)
    assert (question.state, reply.text) == ("failed", "")
    assert "thinking budget" in question.error
    assert [one.text for one in reply.asides if isinstance(one, Thought)] == ["Hm."]
    assert not any(isinstance(event, MessageRemoved) for event in terminal.events)
    await terminal.ask(tab, "again")
    assert [m.text for m in rig.engine.prompts[-1]] == ["again"]


def stored(text: str, *asides: Aside) -> list[Message]:
    question = Message(
        message=1, session=1, turn=1, role="user", text="q", state="complete", created=0
    )
    reply = msgspec.structs.replace(question, message=2, role="assistant", text=text, asides=asides)
    return [question, reply]


def test_a_stored_turn_becomes_the_steps_it_was_made_of() -> None:
    asides = Asides()
    asides.think("Hm.", at=0)
    asides.add_call(ToolCall("a", "clock", '{"x": 1}'), at=4)
    asides.add_call(ToolCall("b", "cloak", "{}", "No tool."), at=4)
    asides.answer(ToolResult("a", "noon"))
    asides.answer(ToolResult("unknown", "?"))
    asides.think("So.", at=4)
    asides.end()
    history = history_of(stored("Wait.It is noon."[0:4] + "It is noon.", *asides.all))
    assert [(m.role, m.text, m.thinking, m.outcome) for m in history] == [
        ("user", "q", "", "answered"),
        ("assistant", "Wait", "Hm.", "answered"),
        ("tool", "noon", "", "answered"),
        ("tool", "No tool.", "", "failed"),
        ("assistant", "It is noon.", "So.", "answered"),
    ]
    assert [m.text for m in flatten(restore(history))] == [m.text for m in history]


def test_calls_without_text_of_several_steps_stay_apart() -> None:
    uses = [ToolUse(at=0, step=step, call=str(step), name="clock") for step in (0, 1)]
    roles = [m.role for m in flatten(restore(history_of(stored("Done.", *uses))))]
    assert roles == ["user", "assistant", "tool", "assistant", "tool", "assistant"]


def test_a_reply_without_asides_is_one_step_whatever_its_text() -> None:
    assert history_of(stored("Yes.")) == (
        HistoryMessage("user", "q", 1),
        HistoryMessage("assistant", "Yes.", 1),
    )
    assert history_of(stored("  \n")) == ()
    assert history_of(stored("", StoredThought(at=0, text="Hm."))) == ()
