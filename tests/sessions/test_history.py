"""Histories hold whole exchanges, whatever they are restored from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.sessions.history import HistoryMessage, flatten, restore, well_formed

messages = st.builds(
    HistoryMessage,
    role=st.sampled_from(["user", "assistant"]),
    text=st.text(max_size=5),
    turn=st.integers(-3, 10),
)


@given(st.lists(messages, max_size=30))
def test_a_restored_history_alternates_and_its_turns_grow(stored: list[HistoryMessage]) -> None:
    restored = flatten(restore(stored))
    assert [m.role for m in restored] == ["user", "assistant"] * (len(restored) // 2)
    turns = [m.turn for m in restored[::2]]
    assert turns == sorted(set(turns))
    assert all(turn > 0 for turn in turns)
    assert all(m.text.strip() for m in restored[1::2])


@given(st.lists(messages, max_size=30))
def test_restoring_what_was_restored_changes_nothing(stored: list[HistoryMessage]) -> None:
    once = restore(stored)
    assert restore(flatten(once)) == once


def test_a_question_whose_reply_never_began_is_left_out() -> None:
    stored = [
        HistoryMessage("user", "lost"),
        HistoryMessage("user", "asked"),
        HistoryMessage("assistant", "answered"),
        HistoryMessage("user", "interrupted"),
    ]
    assert [m.text for m in flatten(restore(stored))] == ["asked", "answered"]


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_becomes_text_that_has_utf8(text: str) -> None:
    formed = well_formed(text)
    formed.encode("utf-8")
    assert well_formed(formed) == formed


def test_only_halves_of_surrogate_pairs_are_replaced() -> None:
    assert well_formed("a\ud800b") == "a\ufffdb"
    assert well_formed("👩‍👩‍👧 שלום") == "👩‍👩‍👧 שלום"
