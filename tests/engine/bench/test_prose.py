"""Text of a wanted length."""

from __future__ import annotations

import pytest

from gemma_chat.engine.bench.prose import passage


def by_characters(text: str) -> int:
    """A tokenizer of four characters a token."""
    return -(-len(text) // 4)


@pytest.mark.parametrize("tokens", [8, 15, 500, 3000])
def test_a_passage_has_the_tokens_asked_for_or_a_word_less(tokens: int) -> None:
    assert tokens - 5 <= by_characters(passage(by_characters, tokens, 1)) <= tokens


def test_passages_of_different_numbers_differ_from_their_second_word_on() -> None:
    second = {passage(by_characters, 40, number).split()[1] for number in range(300)}
    assert len(second) == 300


def test_the_same_number_gives_the_same_passage() -> None:
    assert passage(by_characters, 100, 7) == passage(by_characters, 100, 7)
