"""Prompt lookup guesses what followed the same words before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.lookup import (
    LONGEST_DRAFT,
    LONGEST_MATCH,
    SHORTEST_MATCH,
    DraftLength,
    PromptLookup,
    Speculation,
)

TOKENS = st.lists(st.integers(0, 3), max_size=60)


def after(tokens: list[int]) -> PromptLookup:
    lookup = PromptLookup()
    lookup.extend(tokens)
    return lookup


def searched(tokens: list[int], most: int) -> list[int]:
    """The same guess, by trying every place."""
    for length in range(LONGEST_MATCH, SHORTEST_MATCH - 1, -1):
        wanted = tokens[len(tokens) - length :]
        for end in range(len(tokens) - 1, length - 1, -1):
            if len(tokens) >= length and tokens[end - length : end] == wanted:
                return tokens[end : end + most]
    return []


@given(TOKENS, st.integers(0, 8))
def test_a_guess_follows_the_most_recent_longest_match(tokens: list[int], most: int) -> None:
    assert after(tokens).draft(most) == searched(tokens, most)


@given(TOKENS, TOKENS, st.integers(0, 8))
def test_tokens_that_come_one_by_one_or_together_give_the_same_guess(
    left: list[int], right: list[int], most: int
) -> None:
    lookup = after(left)
    for token in right:
        lookup.extend([token])
    assert lookup.draft(most) == after(left + right).draft(most)


@given(TOKENS, st.integers(0, 8))
def test_a_guess_changes_nothing(tokens: list[int], most: int) -> None:
    lookup = after(tokens)
    assert lookup.draft(most) == lookup.draft(most)
    assert len(lookup.draft(most)) <= most


def test_a_quotation_is_guessed_to_its_end() -> None:
    text = [5, 6, 7, 8, 9, 10, 11]
    assert after([*text, 1, 2, 5, 6]).draft(4) == [7, 8, 9, 10]


def test_what_never_came_before_is_not_guessed() -> None:
    assert after([1, 2, 3, 4, 5, 6]).draft(8) == []
    assert after([]).draft(8) == []


def test_guesses_that_are_always_right_are_verified_as_long_as_there_are_any() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(7, 7)
    assert length.choose(20) == LONGEST_DRAFT
    assert length.choose(5) == 5
    assert length.choose(0) == 0


def test_guesses_that_are_always_wrong_are_not_verified() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(1, 0)
    assert length.choose(20) == 0


def test_a_reply_that_begins_to_quote_is_noticed_while_nothing_is_verified() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(1, 0)
    for _ in range(30):
        length.judged(1, 1)
    assert length.choose(20) > 0


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=40), st.integers(0, 20))
def test_no_more_is_verified_than_there_is(judged: list[tuple[int, int]], available: int) -> None:
    length = DraftLength()
    for drafted, accepted in judged:
        length.judged(drafted, min(drafted, accepted))
    assert 0 <= length.choose(available) <= min(available, LONGEST_DRAFT)


def spoken(tokens: list[int], most: int) -> list[tuple[int, ...]]:
    """What is guessed before each of `tokens` but the first, when they come one by one."""
    speculation = Speculation()
    guesses = []
    for at in range(1, len(tokens)):
        guesses.append(speculation.draft(tokens[:at], most))
        speculation.sampled((), 0, tokens[at])
    return guesses


@given(TOKENS, st.integers(0, 8))
def test_a_turn_that_is_repeated_verifies_the_same_guesses(tokens: list[int], most: int) -> None:
    assert spoken(tokens, most) == spoken(tokens, most)
    assert all(len(guess) <= most for guess in spoken(tokens, most))


def test_no_guess_is_longer_than_the_room_for_it() -> None:
    tokens = [5, 6, 7, 8, 9, 10, 11, 5, 6, 7]
    assert Speculation().draft(tokens, 1) == (8,)
    assert Speculation().draft(tokens, 0) == ()
    assert Speculation().draft(tokens, -3) == ()


def test_a_batch_that_was_verified_is_remembered_where_it_began() -> None:
    speculation = Speculation()
    speculation.verified(7, [1, 2, 3])
    assert speculation.batch_at(7) == (1, 2, 3)
    assert speculation.batch_at(8) == ()
