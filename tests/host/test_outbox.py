"""The outbox of a client: in order, joined where that is the same, and never without limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.host import outbox
from gemma_chat.host.outbox import Outbox
from gemma_chat.host.protocol import (
    Done,
    Event,
    LockChanged,
    LockEntry,
    LockView,
    ModelView,
    Snapshot,
    SummarizerView,
    TurnText,
)

SNAPSHOT = Snapshot((), LockView(), ModelView(), SummarizerView())


def new() -> Outbox:
    return Outbox(lambda: [SNAPSHOT])


def text(message: int, offset: int, piece: str) -> TurnText:
    return TurnText(1, 1, message, offset, piece)


def test_pieces_of_one_reply_are_joined() -> None:
    box = new()
    for offset, piece in [(10, "ab"), (12, "c"), (13, "def")]:
        box.event(text(5, offset, piece))
    assert box.take() == [text(5, 10, "abcdef")]
    assert not box


def test_pieces_of_different_replies_keep_their_order() -> None:
    box = new()
    sent = [text(5, 0, "a"), text(6, 0, "b"), text(5, 1, "c")]
    for event in sent:
        box.event(event)
    assert box.take() == sent


def test_a_piece_that_does_not_follow_on_is_not_joined() -> None:
    box = new()
    box.event(text(5, 0, "a"))
    box.event(text(5, 7, "b"))
    assert box.take() == [text(5, 0, "a"), text(5, 7, "b")]


def test_a_reply_comes_after_the_events_before_it() -> None:
    box = new()
    box.event(text(5, 0, "a"))
    box.event(text(5, 1, "b"))
    box.reply(Done(1))
    box.event(text(5, 2, "c"))
    assert box.take() == [text(5, 0, "ab"), Done(1), text(5, 2, "c")]


def test_of_states_in_a_row_only_the_latest_is_sent() -> None:
    box = new()
    entries = [LockEntry(1, 1, "a", generated=n) for n in range(3)]
    for entry in entries:
        box.event(LockChanged(LockView(entry)))
    assert box.take() == [LockChanged(LockView(entries[-1]))]


@pytest.mark.parametrize("limit", ["MAX_WAITING_EVENTS", "MAX_WAITING_CHARACTERS"])
def test_too_much_makes_room_for_a_snapshot_and_keeps_replies(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, limit, 5)
    box = new()
    box.reply(Done(1))
    for number in range(40):
        box.event(text(number, 0, "ab"))
    box.reply(Done(2))
    assert box
    assert box.take() == [Done(1), Done(2), SNAPSHOT]
    assert not box


def test_after_the_snapshot_events_flow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING_EVENTS", 2)
    box = new()
    for number in range(5):
        box.event(text(number, 0, "ab"))
    assert box.take() == [SNAPSHOT]
    box.event(text(9, 0, "ab"))
    assert box.take() == [text(9, 0, "ab")]


@given(st.lists(st.tuples(st.integers(1, 2), st.text(min_size=1, max_size=3), st.booleans())))
def test_joining_loses_nothing(pieces: list[tuple[int, str, bool]]) -> None:
    box, said, heard = new(), {1: "", 2: ""}, {1: "", 2: ""}

    def hear() -> None:
        for event in box.take():
            assert isinstance(event, TurnText)
            assert event.offset == len(heard[event.message])
            heard[event.message] += event.text

    for message, piece, take in pieces:
        box.event(text(message, len(said[message]), piece))
        said[message] += piece
        if take:
            hear()
    hear()
    assert heard == said


def test_the_limit_holds_for_joined_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING_CHARACTERS", 100)
    box = new()
    events: list[Event] = [text(5, 10 * n, "0123456789") for n in range(11)]
    for event in events:
        box.event(event)
    assert box.take() == [SNAPSHOT]
