"""Half characters are joined, and a half that stays alone is replaced."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.remote.pairs import PairJoiner


def joined(*pieces: str) -> list[str]:
    joiner = PairJoiner()
    return [*(joiner.add(piece) for piece in pieces), joiner.rest()]


def test_a_pair_that_was_cut_is_one_character() -> None:
    assert joined("a\ud83d", "\ude00b") == ["a", "😀b", ""]


def test_a_half_that_stays_alone_becomes_a_replacement_character() -> None:
    assert joined("a\ud83d", "b") == ["a", "\ufffdb", ""]
    assert joined("a\ude00") == ["a\ufffd", ""]
    assert joined("a\ud83d") == ["a", "\ufffd"]


@given(st.lists(st.text(st.characters())))
def test_whatever_comes_can_be_written(pieces: list[str]) -> None:
    "".join(joined(*pieces)).encode()
