"""Text of tokens becomes text that is final."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.text import TextStream


def pieces(text: str, cuts: list[int], stop: tuple[str, ...] = ()) -> list[str]:
    stream = TextStream(stop)
    edges = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    parts = [stream.feed(text[a:b]) for a, b in itertools.pairwise(edges)]
    return [*parts, stream.flush()]


@given(st.text(), st.lists(st.integers(0, 10_000)))
def test_any_text_cut_anywhere_arrives_whole(text: str, cuts: list[int]) -> None:
    """Case 20 of the session API."""
    assert "".join(pieces(text, cuts)) == text


@pytest.mark.parametrize(
    "character",
    ["é", "漢", "👩‍🚀", "🏳️‍🌈", "👨‍👩‍👧‍👦", "🇩🇪", "❤️", "👍🏽", "مرحبا"],
    ids=lambda text: ascii(text),
)
def test_an_emoji_made_of_many_characters_comes_in_one_piece(character: str) -> None:
    """Case 20 of the session API."""
    stream = TextStream()
    arrived = [*map(stream.feed, f"a{character}b"), stream.flush()]
    assert "".join(arrived) == f"a{character}b"
    if character not in ("مرحبا", "❤️"):
        assert any(character in piece for piece in arrived)


def test_an_endless_run_of_joiners_is_not_held_back_for_ever() -> None:
    stream = TextStream()
    assert len("".join(stream.feed("\u200d") for _ in range(500))) > 400


def test_a_stop_string_split_over_tokens_never_comes_out() -> None:
    stream = TextStream(("END",))
    out = [stream.feed(part) for part in ("one E", "N", "E", "ND", " more")]
    assert "".join(out) + stream.flush() == "one EN"
    assert stream.stopped


def test_the_beginning_of_a_stop_string_that_does_not_go_on_is_text() -> None:
    stream = TextStream(("END",))
    assert stream.feed("EN") == ""
    assert stream.feed("T") == "ENT"
    assert not stream.stopped


def test_the_earliest_of_several_stop_strings_counts() -> None:
    stream = TextStream(("zz", "b"))
    assert stream.feed("abzz") == "a"


@given(
    st.text(alphabet="abc", max_size=40),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=3), max_size=3),
    st.lists(st.integers(0, 100)),
)
def test_text_ends_exactly_before_the_first_stop_string(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    streamed = "".join(pieces(text, cuts, tuple(stop)))
    assert not any(s in streamed for s in stop)
    assert text.startswith(streamed)
    if not any(s in text for s in stop):
        assert streamed == text
