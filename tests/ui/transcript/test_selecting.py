"""What is copied, and what a double click selects."""

from __future__ import annotations

import pytest
from tests.ui.transcript.messages import message

from gemma_chat.ui.transcript.rows import MessageRows
from gemma_chat.ui.transcript.selecting import Place, copied_text, message_at, word_at


def rows_of(text: str, *, width: int = 30) -> MessageRows:
    rows = MessageRows({"user": "You", "assistant": "Gemma"})
    rows.set_width(width)
    rows.put(message(1, text))
    rows.put(message(2, "the next message"))
    rows.settle(20)
    return rows


def test_what_was_only_wrapped_is_joined() -> None:
    rows = rows_of("one two three four\n\n```\nlong_line_of_code\n  b\n```", width=12)

    start, end = message_at(rows, 2) or ((0, 0), (0, 0))

    assert copied_text(rows, start, end) == "one two three four\n\nlong_line_of_code\n  b"


@pytest.mark.parametrize(
    ("start", "end", "copied"),
    [
        ((1, 6), (3, 6), "line\n\nsecond"),
        ((1, 2), (1, 4), "rs"),
        ((1, 9), (1, 2), ""),
        ((3, 7), (999, 0), "line\n\nGemma\nthe next message\n"),
        ((-1, 0), (2, 0), ""),
    ],
)
def test_text_is_copied_from_place_to_place(start: Place, end: Place, copied: str) -> None:
    assert copied_text(rows_of("first line\n\nsecond line"), start, end) == copied


@pytest.mark.parametrize(
    ("character", "word"),
    [(0, "don't"), (4, "don't"), (6, "("), (7, "naïve-ish"), (16, ")"), (99, None), (-2, None)],
)
def test_a_word_is_found_around_a_place(character: int, word: str | None) -> None:
    rows = rows_of("don't (naïve-ish)")

    span = word_at(rows, (1, character))

    assert (copied_text(rows, *span) if span else None) == word


def test_a_message_is_its_text_without_its_head() -> None:
    rows = rows_of("one\n\ntwo")

    assert message_at(rows, 2) == ((1, 0), (3, 3))
    assert message_at(rows, 999) is None


def test_an_empty_conversation_has_nothing_to_select() -> None:
    empty = MessageRows({})

    assert copied_text(empty, (0, 0), (5, 5)) == ""
    assert word_at(empty, (0, 0)) is None
    assert message_at(empty, 0) is None
