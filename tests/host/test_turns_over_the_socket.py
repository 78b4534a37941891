"""Turns as terminals see them: over a real socket, with an engine in the test's hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.host.rig import Rig, Terminal, running
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import EngineCrashedError, HostError, StoreError
from gemma_chat.host.protocol import (
    ChangeSettings,
    CloseSession,
    FetchMessages,
    LockChanged,
    MarkRead,
    MessageChanged,
    MessageRemoved,
    ModelChanged,
    ReopenSession,
    SessionClosed,
    StopTurn,
    TabsArranged,
    TurnFinished,
    TurnText,
)


async def test_a_question_gets_its_reply_and_both_are_stored(terminal: Terminal) -> None:
    tab = await terminal.open(system="Pirate")
    end = await terminal.ask(tab, "What is the sea?")
    assert (end.reason, end.turn, end.error) == ("stop", 1, "")
    assert end.metrics.generated_tokens == 6
    assert terminal.heard(tab, 1) == "Pirate 1: What is the sea?"
    assert await terminal.said(tab) == [
        ("user", "What is the sea?", "complete"),
        ("assistant", "Pirate 1: What is the sea?", "complete"),
    ]


async def test_the_figures_of_a_reply_name_its_model_and_the_seed_that_was_drawn(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    drawn = SessionSettings(sampling=SamplingSettings(random_seed=None, temperature=0.8, top_k=40))
    await terminal.client.request(ChangeSettings(0, tab, drawn))
    end = await terminal.ask(tab, "What is the sea?")
    assert end.metrics.model == rig.engine.description.name
    assert end.metrics.seed is not None
    assert (await terminal.transcript(tab))[1].metrics == end.metrics
    await terminal.client.request(
        ChangeSettings(0, tab, SessionSettings(sampling=SamplingSettings(temperature=0.0)))
    )
    assert (await terminal.ask(tab, "And now?")).metrics.seed is None


async def test_the_second_question_sees_the_first_exchange(rig: Rig, terminal: Terminal) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    await terminal.ask(tab, "two")
    assert [message.text for message in rig.engine.prompts[-1]] == ["one", "1: one", "two"]


async def test_events_of_a_turn_come_in_order(terminal: Terminal) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    states = [
        (event.view.role, event.view.state)
        for event in terminal.events
        if isinstance(event, MessageChanged)
    ]
    assert states == [
        ("user", "queued"),
        ("user", "complete"),
        ("assistant", "streaming"),
        ("assistant", "complete"),
    ]
    kinds = [type(event) for event in terminal.events]
    assert kinds.index(TurnText) < kinds.index(TurnFinished)
    assert TurnText not in kinds[kinds.index(TurnFinished) :]


async def test_three_tabs_generate_one_after_another_in_the_order_they_asked(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tabs = [await terminal.open(f"tab {n}", f"role {n}") for n in range(3)]
    for tab in tabs:
        await terminal.send(tab, "hello")
    first, second, third = tabs
    lock = (await terminal.order((first, 1), (second, 1), (third, 1))).lock
    assert lock.holder is not None
    assert lock.holder.name == "tab 0"
    assert [entry.name for entry in lock.waiting] == ["tab 1", "tab 2"]
    rig.engine.gate.open()
    await terminal.finished(third, 1)
    ended = [event.session for event in terminal.events if isinstance(event, TurnFinished)]
    assert ended == tabs
    for number, tab in enumerate(tabs):
        assert terminal.heard(tab, 1) == f"role {number} 1: hello"
    await terminal.order((0, 0))


async def test_several_questions_queue_in_one_tab(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    assert [await terminal.send(tab, text) for text in "abc"] == [1, 2, 3]
    await terminal.order((tab, 1), (tab, 2), (tab, 3))
    rig.engine.gate.open()
    await terminal.finished(tab, 3)
    assert [text for role, text, _ in await terminal.said(tab) if role == "assistant"] == [
        "1: a",
        "2: b",
        "3: c",
    ]


async def test_a_stopped_reply_is_kept_as_far_as_it_went(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    turn = await terminal.send(tab, "one two three")
    await rig.engine.gate.let_pass(3)
    await terminal.seen(TurnText)
    await terminal.client.request(StopTurn(0, tab))
    assert (await terminal.finished(tab, turn)).reason == "stopped"
    assert await terminal.said(tab) == [
        ("user", "one two three", "complete"),
        ("assistant", "1: one", "stopped"),
    ]
    rig.engine.gate.open()
    await terminal.ask(tab, "and")
    assert [message.text for message in rig.engine.prompts[-1]] == [
        "one two three",
        "1: one",
        "and",
    ]


async def test_a_turn_stopped_in_the_queue_leaves_its_question_out_of_the_context(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    for text in ("first", "second", "third"):
        await terminal.send(tab, text)
    await terminal.order((tab, 1), (tab, 2), (tab, 3))
    await terminal.client.request(StopTurn(0, tab, 2))
    assert (await terminal.finished(tab, 2)).reason == "stopped"
    rig.engine.gate.open()
    await terminal.finished(tab, 3)
    assert await terminal.said(tab) == [
        ("user", "first", "complete"),
        ("assistant", "1: first", "complete"),
        ("user", "second", "stopped"),
        ("user", "third", "complete"),
        ("assistant", "2: third", "complete"),
    ]


async def test_a_turn_stopped_in_prefill_leaves_no_empty_reply(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    turn = await terminal.send(tab, "question")
    await rig.engine.gate.reached()
    await terminal.client.request(StopTurn(0, tab))
    await terminal.finished(tab, turn)
    assert await terminal.said(tab) == [("user", "question", "stopped")]


async def test_stopping_a_turn_that_has_ended_does_nothing(terminal: Terminal) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    await terminal.client.request(StopTurn(0, tab, 1))
    await terminal.client.request(StopTurn(0, tab))
    await terminal.client.request(StopTurn(0, tab, 77))
    assert (await terminal.said(tab))[-1] == ("assistant", "1: one", "complete")


async def test_an_empty_reply_fails_the_question_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(lambda *_: "")) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "hm")
        [question] = await terminal.transcript(tab)
        assert question.state == "failed"
        assert "before the first word" in question.error


async def test_a_reply_of_blanks_only_is_taken_away_again(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(lambda *_: " \n ")) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        await terminal.ask(tab, "hm")
        assert [state for _, _, state in await terminal.said(tab)] == ["failed"]
        await terminal.seen(MessageRemoved)


async def test_a_reply_that_reaches_its_limit_is_marked(terminal: Terminal) -> None:
    tab = await terminal.open()
    settings = SessionSettings(sampling=SamplingSettings(max_output_tokens=2))
    await terminal.client.request(ChangeSettings(0, tab, settings))
    assert (await terminal.ask(tab, "one two")).reason == "length"
    assert (await terminal.said(tab))[-1] == ("assistant", "1: one", "length")


async def test_a_crash_of_the_engine_fails_the_turn_and_everyone_who_waits(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tabs = [await terminal.open() for _ in range(3)]
    for tab in tabs:
        await terminal.send(tab, "hello")
    await rig.engine.gate.reached()
    rig.engine.fail_next_step(EngineCrashedError("llama.cpp gave up."))
    rig.engine.gate.allow()
    for tab in tabs:
        end = await terminal.finished(tab, 1)
        assert (end.reason, end.error) == ("failed", "llama.cpp gave up.")
        assert await terminal.said(tab) == [("user", "hello", "failed")]
        assert terminal.tabs[tab].failed
    assert (await terminal.model("failed")).model.error == "llama.cpp gave up."
    crashed = rig.engine
    assert (await terminal.ask(tabs[0], "again")).reason == "stop"
    assert crashed.closed == 1
    assert [message.text for message in rig.engine.prompts[0]] == ["again"]


async def test_a_question_too_long_for_the_context_fails_alone(tmp_path: Path) -> None:
    async with running(tmp_path, ScriptedEngine(context_size=64)) as rig:
        terminal = await rig.connect()
        tab = await terminal.open()
        end = await terminal.ask(tab, "word " * 100)
        assert end.reason == "failed"
        assert "context" in end.error
        assert (await terminal.ask(tab, "short")).reason == "stop"


async def test_a_finished_reply_is_unread_until_it_was_looked_at(terminal: Terminal) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    assert terminal.tabs[tab].unread
    await terminal.client.request(MarkRead(0, tab))
    assert not terminal.tabs[tab].unread


async def test_a_tab_knows_how_much_of_its_context_is_used(terminal: Terminal) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    view = terminal.tabs[tab]
    assert view.context_used > 0
    assert (view.turn, view.message_count) == (1, 2)


async def test_closing_a_tab_stops_its_turn_and_keeps_what_there_was(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tab, other = await terminal.open(), await terminal.open()
    await terminal.send(tab, "one two three")
    await terminal.send(other, "mine")
    await rig.engine.gate.let_pass(3)
    await terminal.client.request(CloseSession(0, tab))
    rig.engine.gate.open()
    await terminal.finished(other, 1)
    await terminal.client.request(ReopenSession(0, tab))
    assert await terminal.said(tab) == [
        ("user", "one two three", "complete"),
        ("assistant", "1: one", "stopped"),
    ]


async def test_a_closed_tab_is_not_heard_of_again(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    await terminal.send(tab, "one")
    await terminal.order((tab, 1))
    await terminal.client.request(CloseSession(0, tab))
    await terminal.order((0, 0))
    last = terminal.events.index(await terminal.seen(SessionClosed))
    of_the_host = LockChanged | TabsArranged | ModelChanged
    after = [e for e in terminal.events[last + 1 :] if not isinstance(e, of_the_host)]
    assert after == []


async def test_a_reopened_tab_goes_on_from_its_history_with_higher_turn_numbers(
    rig: Rig, terminal: Terminal
) -> None:
    tab = await terminal.open()
    await terminal.ask(tab, "one")
    await terminal.client.request(CloseSession(0, tab))
    await terminal.client.request(ReopenSession(0, tab))
    assert (await terminal.ask(tab, "two")).turn == 2
    assert [message.text for message in rig.engine.prompts[-1]] == ["one", "1: one", "two"]


@pytest.mark.parametrize("text", ["", "   \n\t ", "x" * 4_000_001], ids=["empty", "blank", "huge"])
async def test_a_message_that_says_nothing_or_too_much_is_refused(
    terminal: Terminal, text: str
) -> None:
    tab = await terminal.open()
    with pytest.raises(HostError, match=r"empty|at most 4,000,000"):
        await terminal.send(tab, text)
    assert await terminal.said(tab) == []


async def test_a_message_to_a_tab_that_is_not_open_is_refused(terminal: Terminal) -> None:
    with pytest.raises(HostError, match="no open tab 99"):
        await terminal.send(99, "hello")


async def test_a_second_terminal_sees_the_same_turn_live(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    await terminal.send(tab, "one two")
    other = await rig.connect()
    assert other.tabs == terminal.tabs
    rig.engine.gate.open()
    await other.finished(tab, 1)
    assert await other.said(tab) == [
        ("user", "one two", "complete"),
        ("assistant", "1: one two", "complete"),
    ]


async def test_a_turn_goes_on_when_its_terminal_is_gone(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    await terminal.send(tab, "one")
    await terminal.close()
    other = await rig.connect()
    rig.engine.gate.open()
    await other.finished(tab, 1)
    assert (await other.said(tab))[-1] == ("assistant", "1: one", "complete")


async def test_what_is_fetched_in_mid_reply_is_never_behind_what_was_streamed(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    await terminal.send(tab, "one two three four")
    await rig.engine.gate.let_pass(2)
    for _ in range(3):
        await rig.engine.gate.let_pass(1)
        fetched = (await terminal.said(tab))[-1]
        assert fetched[0] == "assistant"
        assert fetched[1].startswith(terminal.heard(tab, 1))
        assert fetched[2] == "streaming"


async def test_numbers_of_messages_grow_in_reading_order(rig: Rig, terminal: Terminal) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    for text in "abc":
        await terminal.send(tab, text)
    assert [text for _, text, _ in await terminal.said(tab)] == ["a", "b", "c"]
    assert terminal.tabs[tab].message_count == 3
    rig.engine.gate.open()
    await terminal.finished(tab, 3)
    messages = await terminal.transcript(tab)
    assert [one.text for one in messages] == ["a", "1: a", "b", "2: b", "c", "3: c"]
    numbers = [one.message for one in messages]
    assert numbers == sorted(numbers)
    assert terminal.tabs[tab].message_count == 6


async def test_a_stretch_is_never_empty_because_replies_have_not_begun(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    tab = await terminal.open()
    for text in "abc":
        await terminal.send(tab, text)
    got = await terminal.client.request(FetchMessages(0, tab, 0, 1))
    assert [one.text for one in got.messages] == ["c"]
    assert got.more


async def test_a_question_without_a_place_for_its_reply_is_not_kept(
    rig: Rig, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await terminal.open()
    add = rig.store.add_message

    def add_questions_only(session: int, **fields: Any) -> object:
        if fields["role"] == "assistant":
            raise StoreError("The disk is full.")
        return add(session, **fields)

    monkeypatch.setattr(rig.store, "add_message", add_questions_only)
    with pytest.raises(HostError, match="disk is full"):
        await terminal.send(tab, "hello")
    assert await terminal.said(tab) == []
