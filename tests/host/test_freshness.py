"""Events that are out of date are dropped, all others pass."""

from __future__ import annotations

import pytest

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host.freshness import Freshness
from gemma_chat.host.protocol import (
    Event,
    LockChanged,
    LockView,
    MessageChanged,
    MessageRemoved,
    MessageView,
    ModelView,
    Notice,
    SessionChanged,
    SessionClosed,
    SessionView,
    Snapshot,
    SummarizerView,
    TurnFinished,
    TurnMetrics,
    TurnText,
)


def tab(session: int, turn: int = 0) -> SessionView:
    return SessionView(session, "t", SessionSettings(), 0, turn=turn)


def snapshot(*tabs: SessionView) -> Snapshot:
    return Snapshot(tabs, LockView(), ModelView(), SummarizerView())


def text(session: int, turn: int) -> TurnText:
    return TurnText(session, turn, 100 + turn, 0, "x")


def question(session: int, turn: int) -> MessageChanged:
    view = MessageView(turn, turn, "user", "?", "queued", 0.0)
    return MessageChanged(session, turn, view)


def finished(session: int, turn: int) -> TurnFinished:
    return TurnFinished(session, turn, "stop", TurnMetrics())


@pytest.fixture
def fresh() -> Freshness:
    freshness = Freshness()
    assert freshness.admits(snapshot(tab(1, turn=4), tab(2)))
    return freshness


@pytest.mark.parametrize(
    "event", [text(9, 1), question(9, 1), finished(9, 1), MessageRemoved(9, 1, 5)]
)
def test_a_turn_of_a_tab_that_is_not_open_is_dropped(fresh: Freshness, event: Event) -> None:
    assert not fresh.admits(event)


def test_text_of_an_older_turn_is_dropped_once_a_newer_one_speaks(fresh: Freshness) -> None:
    assert fresh.admits(text(1, 4))
    assert fresh.admits(text(1, 5))
    assert not fresh.admits(text(1, 4))
    assert fresh.admits(text(1, 5))


def test_turns_of_other_tabs_are_not_looked_at(fresh: Freshness) -> None:
    assert fresh.admits(text(1, 5))
    assert fresh.admits(text(2, 1))


def test_a_question_in_the_queue_does_not_make_the_running_turn_old(fresh: Freshness) -> None:
    assert fresh.admits(text(1, 5))
    assert fresh.admits(question(1, 6))
    assert fresh.admits(question(1, 7))
    assert fresh.admits(text(1, 5))
    assert fresh.admits(finished(1, 5))


def test_a_question_withdrawn_from_the_queue_leaves_the_running_turn_alone(
    fresh: Freshness,
) -> None:
    assert fresh.admits(text(1, 5))
    assert fresh.admits(question(1, 6))
    assert fresh.admits(finished(1, 6))
    assert fresh.admits(text(1, 5))
    assert not fresh.admits(text(1, 6))


def test_nothing_of_a_turn_passes_after_its_end(fresh: Freshness) -> None:
    assert fresh.admits(finished(1, 5))
    assert not fresh.admits(finished(1, 5))
    assert not fresh.admits(text(1, 5))
    assert not fresh.admits(question(1, 5))


def test_a_closed_tab_hears_nothing_more(fresh: Freshness) -> None:
    assert fresh.admits(text(1, 5))
    assert fresh.admits(SessionClosed(1))
    assert not fresh.admits(text(1, 5))
    assert not fresh.admits(SessionClosed(1))


def test_a_reopened_tab_begins_behind_its_old_turns(fresh: Freshness) -> None:
    fresh.admits(SessionClosed(1))
    assert fresh.admits(SessionChanged(tab(1, turn=5)))
    assert not fresh.admits(text(1, 5))
    assert fresh.admits(text(1, 6))


def test_a_new_tab_hears_its_first_turn(fresh: Freshness) -> None:
    assert fresh.admits(SessionChanged(tab(3)))
    assert fresh.admits(question(3, 1))
    assert fresh.admits(text(3, 1))


def test_a_new_connection_hears_nothing_of_tabs_before_its_snapshot(fresh: Freshness) -> None:
    fresh.expect_snapshot()
    assert not fresh.admits(text(1, 5))
    assert not fresh.admits(SessionChanged(tab(1)))
    assert not fresh.admits(SessionClosed(1))
    assert fresh.admits(snapshot(tab(1)))
    assert fresh.admits(text(1, 5))


def test_a_snapshot_in_mid_reply_lets_the_reply_go_on(fresh: Freshness) -> None:
    assert fresh.admits(text(1, 5))
    assert fresh.admits(snapshot(tab(1, turn=7)))
    assert fresh.admits(text(1, 5))
    assert not fresh.admits(text(2, 1))


def test_a_host_on_a_restored_database_counts_turns_from_where_that_stands(
    fresh: Freshness,
) -> None:
    assert fresh.admits(text(1, 9))
    assert fresh.admits(finished(1, 9))
    fresh.expect_snapshot()
    assert fresh.admits(snapshot(tab(1, turn=2)))
    assert fresh.admits(question(1, 3))
    assert fresh.admits(text(1, 3))


@pytest.mark.parametrize("event", [LockChanged(LockView()), Notice("error", "disk full")])
def test_what_is_not_about_a_turn_always_passes(event: Event) -> None:
    assert Freshness().admits(event)
