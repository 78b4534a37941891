"""Prompt lookup guesses what followed the same words before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.lookup import LONGEST_MATCH, SHORTEST_MATCH, PromptLookup

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
