"""A small model's title that is about something else gives way to what was said."""

from __future__ import annotations

import pytest

from gemma_chat.sessions.invented_titles import is_invented, is_small


@pytest.mark.parametrize(
    ("title", "said", "invented"),
    [
        ("How to make a pizza with your hands", "Hello!", True),
        ("How long do I have to boil eggs?", "thanks, and now in French please", True),
        ("What's wrong with you?", "Wie koche ich Reis?", True),
        ("I am a leaf, a leaf", "Write a poem about autumn leaves", False),
        ("How to calculate 2+2", "What is 2+2?", False),
        ("HAMLET", "Summarize the plot of Hamlet", False),
        ("The user is a customer", "Who are you?", True),
    ],
)
def test_a_title_without_a_word_of_what_was_said_is_invented(
    title: str, said: str, invented: bool
) -> None:
    assert is_invented(title, said) is invented


def test_only_models_of_known_and_small_size_are_doubted() -> None:
    assert [is_small(size) for size in (0, 134_515_008, 1_000_000_000, 4_000_000_000)] == [
        False,
        True,
        False,
        False,
    ]
