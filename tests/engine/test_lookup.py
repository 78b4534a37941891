"""Prompt lookup guesses what followed the same words before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.lookup import (
    LONGEST_MATCH,
    NOTHING,
    SHORTEST_MATCH,
    Draft,
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


def test_a_guess_ends_where_a_picture_begins() -> None:
    assert after([1, 2, 3, -7, -8, 1, 2]).draft(8).tokens == (3,)
    assert after([1, 2, -7, 1, 2]).draft(8).tokens == ()


@given(TOKENS, st.integers(0, 8))
def test_a_guess_follows_the_most_recent_longest_match(tokens: list[int], most: int) -> None:
    assert list(after(tokens).draft(most).tokens) == searched(tokens, most)


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
    assert len(lookup.draft(most).tokens) <= most


def test_a_quotation_is_guessed_to_its_end() -> None:
    text = [5, 6, 7, 8, 9, 10, 11]
    assert after([*text, 1, 2, 5, 6]).draft(4) == Draft((7, 8, 9, 10), 2)


def test_what_never_came_before_is_not_guessed() -> None:
    assert after([1, 2, 3, 4, 5, 6]).draft(8) == NOTHING
    assert after([]).draft(8) == NOTHING


@given(TOKENS)
def test_a_match_is_as_long_as_what_is_the_same_before_the_guess(tokens: list[int]) -> None:
    draft = after(tokens).draft(1)
    if draft.tokens:
        same = tokens[len(tokens) - draft.matched :]
        assert any(
            tokens[at : at + draft.matched] == same for at in range(len(tokens) - draft.matched)
        )


def draft_of(length: int, matched: int = 3) -> Draft:
    return Draft(tuple(range(length)), matched)


def test_guesses_that_are_always_right_are_verified_as_long_as_there_are_any() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(draft_of(7), 7)
    assert length.choose(draft_of(8)) == 8
    assert length.choose(draft_of(5)) == 5
    assert length.choose(NOTHING) == 0


def test_guesses_that_are_always_wrong_are_not_verified() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(draft_of(1), 0)
    assert length.choose(draft_of(8)) == 0


def test_what_follows_a_long_quotation_is_trusted_when_short_matches_are_not() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(draft_of(1, matched=2), 0)
    assert length.choose(draft_of(8, matched=2)) == 0
    assert length.choose(draft_of(8, matched=8)) > 2


def test_a_reply_that_begins_to_quote_is_noticed_while_nothing_is_verified() -> None:
    length = DraftLength()
    for _ in range(40):
        length.judged(draft_of(1), 0)
    for _ in range(30):
        length.judged(draft_of(1), 1)
    assert length.choose(draft_of(8)) > 0


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 12), st.integers(0, 15)), max_size=40),
    st.integers(0, 8),
    st.integers(0, 12),
)
def test_no_more_is_verified_than_there_is(
    judged: list[tuple[int, int, int]], available: int, matched: int
) -> None:
    length = DraftLength()
    for drafted, compared, accepted in judged:
        length.judged(draft_of(drafted, compared), min(drafted, accepted))
    assert 0 <= length.choose(draft_of(available, matched)) <= available


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
    tokens = [*range(20), *range(12)]
    assert Speculation().draft(tokens, 100) == (12, 13, 14)
    assert Speculation().draft(tokens, 2) == (12, 13)
    assert Speculation().draft(tokens, 0) == ()
    assert Speculation().draft(tokens, -3) == ()


def test_a_batch_that_was_verified_is_remembered_where_it_began() -> None:
    speculation = Speculation()
    speculation.verified(7, [1, 2, 3])
    assert speculation.batch_at(7) == (1, 2, 3)
    assert speculation.batch_at(8) == ()
