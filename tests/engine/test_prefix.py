"""Which tokens of a new prompt are evaluated already."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.prefix import common_prefix, plan, settled

CONTROL = 1000
"""Tokens from here on are control tokens; the others are pairs of letters or single letters."""


def spell(token: int) -> bytes:
    if token >= CONTROL:
        return b"<%d>" % token
    return bytes([token]) if token < 256 else bytes([token % 256, ord("b")])


def tokenize(text: bytes) -> list[int]:
    """Greedy pairs: a letter before "b" makes one token with it."""
    tokens: list[int] = []
    at = 0
    while at < len(text):
        if at + 1 < len(text) and text[at + 1] == ord("b"):
            tokens.append(256 + text[at])
            at += 2
        else:
            tokens.append(text[at])
            at += 1
    return tokens


def planned(held: list[int], pieces: list[int | bytes]) -> tuple[int, list[int]]:
    return plan(held, pieces, tokenize=tokenize, piece=spell, is_control=lambda t: t >= CONTROL)


def spelled(tokens: list[int]) -> bytes:
    return b"".join(map(spell, tokens))


def written(pieces: list[int | bytes]) -> bytes:
    return b"".join(spell(p) if isinstance(p, int) else p for p in pieces)


part = st.one_of(st.just(1000), st.just(1001), st.binary(min_size=1, max_size=6))
letters = st.text(alphabet="abc", min_size=1, max_size=30).map(str.encode)


@given(st.lists(st.integers(97, 99) | st.integers(353, 355) | st.just(1000)), st.lists(part))
def test_held_and_new_tokens_together_always_spell_the_prompt(
    held: list[int], pieces: list[int | bytes]
) -> None:
    matched, rest = planned(held, pieces)
    assert 0 <= matched <= len(held)
    assert spelled(held[:matched] + rest) == written(pieces)


@given(letters, letters)
def test_going_on_after_a_reply_evaluates_nothing_of_it_again(reply: bytes, more: bytes) -> None:
    # The model may sample letters one by one where the tokenizer would make pairs.
    held = [1000, *reply]
    matched, rest = planned(held, [1000, reply, 1001, more])
    assert matched == len(held)
    assert rest == [1001, *tokenize(more)]


def test_text_that_looks_like_a_control_token_does_not_match_one() -> None:
    matched, rest = planned([1000, 97], [b"<1000>", b"a"])
    assert matched == 0
    assert 1000 not in rest


def test_a_control_token_does_not_match_text_that_looks_like_it() -> None:
    matched, rest = planned(tokenize(b"<1000>"), [1000, b"a"])
    assert (matched, rest) == (0, [1000, 97])


def test_an_edited_message_is_tokenized_anew_from_where_it_differs() -> None:
    matched, rest = planned([1000, *tokenize(b"abcabcabcabcabcabcabcabc")], [1000, b"abaa"])
    assert spelled([1000, *tokenize(b"abcabcabcabcabcabcabcabc")][:matched] + rest) == b"<1000>abaa"
    assert rest == tokenize(b"aa")


def test_white_space_trimmed_from_a_reply_costs_only_its_end() -> None:
    reply = list(b"one two three four five ")
    matched, rest = planned([1000, *reply], [1000, b"one two three four five", 1001])
    assert matched == len(reply)
    assert rest == [1001]


def test_nothing_held_means_everything_is_new() -> None:
    assert planned([], [1000, b"ab"]) == (0, [1000, 353])


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_a_common_prefix_is_common_and_the_longest(left: list[int], right: list[int]) -> None:
    length = common_prefix(left, right)
    assert left[:length] == right[:length]
    assert left[length : length + 1] != right[length : length + 1] or length in (
        len(left),
        len(right),
    )


@given(st.lists(st.integers(0, 500)).map(sorted), st.integers(0, 600), st.integers(1, 128))
def test_a_match_is_taken_over_up_to_a_seam_or_whole_micro_batches_after_it(
    seams: list[int], found: int, step: int
) -> None:
    taken = settled(seams, found, step)
    base = max((seam for seam in [0, *seams] if seam <= found), default=0)
    assert base <= taken <= found
    assert (taken - base) % step == 0
    assert found - taken < step
