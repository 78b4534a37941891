"""Prompt lookup guesses what followed the same words before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.lookup import LONGEST_MATCH, SHORTEST_MATCH, DraftLength, PromptLookup

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


COSTS = {0: 0.040, 1: 0.042, 3: 0.055, 7: 0.090, 15: 0.133}
"""Seconds of a batch by the number of guessed tokens in it, SmolLM2 on two cores."""


def measured(costs: dict[int, float]) -> DraftLength:
    length = DraftLength([drafted for drafted in sorted(costs) if drafted])
    for drafted, seconds in costs.items():
        length.timed(drafted, seconds)
    return length


def test_guesses_that_are_always_right_are_verified_in_the_batch_that_gives_most() -> None:
    length = measured(COSTS)
    for _ in range(40):
        length.judged(7, 7)
    assert length.choose(20) == 15
    assert length.choose(8) == 7


def test_guesses_that_are_always_wrong_are_not_verified() -> None:
    length = measured(COSTS)
    for _ in range(40):
        length.judged(1, 0)
    assert length.choose(20) == 0


def test_a_reply_that_begins_to_quote_is_noticed_while_nothing_is_verified() -> None:
    length = measured(COSTS)
    for _ in range(40):
        length.judged(1, 0)
    for _ in range(30):
        length.judged(1, 1)
    assert length.choose(20) > 0


def test_batches_as_slow_as_their_tokens_one_by_one_are_never_used() -> None:
    length = measured({drafted: 0.04 * (drafted + 1) for drafted in COSTS})
    for _ in range(40):
        length.judged(7, 7)
    assert length.choose(20) == 0


def test_nothing_is_verified_before_a_single_token_was_timed() -> None:
    assert DraftLength([1, 2]).choose(2) == 0


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=40),
    st.lists(st.tuples(st.integers(0, 15), st.floats(0, 1e6)), max_size=40),
    st.integers(0, 20),
)
def test_only_allowed_and_available_lengths_are_chosen(
    judged: list[tuple[int, int]], timed: list[tuple[int, float]], available: int
) -> None:
    length = DraftLength([1, 3, 7])
    for drafted, accepted in judged:
        length.judged(drafted, min(drafted, accepted))
    for drafted, seconds in timed:
        length.timed(drafted, seconds)
    assert length.choose(available) in {0, *(each for each in (1, 3, 7) if each <= available)}
