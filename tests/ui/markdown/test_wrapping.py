"""Wrapping loses nothing, exceeds nothing and splits no grapheme."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from gemma_chat.ui.markdown.wrapping import fold, wrap

text = st.text(alphabet="ab  \n中é👩\u200d\ufe0f\u0301-x", max_size=60)


def rows(source: str, width: int) -> list[str]:
    return [source[row.start : row.end] for row in wrap(source, width)]


@given(text, st.integers(2, 20))
@example("\u200d\u200da👩", 2)
def test_no_row_is_wider_than_asked(source: str, width: int) -> None:
    assert all(cell_len(row) <= width for row in rows(source, width))


@given(text, st.integers(1, 20))
def test_rows_and_the_spaces_between_them_are_the_text(source: str, width: int) -> None:
    joined = ""
    for row in wrap(source, width):
        joined += ("\n" if joined or row.start else "") if row.glue is None else row.glue
        joined += source[row.start : row.end]

    assert [line.rstrip(" ") for line in joined.split("\n")] == [
        line.rstrip(" ") for line in source.split("\n")
    ]


@pytest.mark.parametrize(
    ("source", "width", "expected"),
    [
        ("", 5, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("  one two", 5, ["  one", "two"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("ab cdefgh i", 4, ["ab", "cdef", "gh i"]),
        ("中文字符", 5, ["中文", "字符"]),
        ("a 中文", 4, ["a 中", "文"]),
        ("one\n\ntwo", 9, ["one", "", "two"]),
        ("       ", 3, ["   ", "   ", " "]),
    ],
)
def test_text_breaks_between_words_and_where_it_must(
    source: str, width: int, expected: list[str]
) -> None:
    assert rows(source, width) == expected


def test_a_family_of_emoji_is_not_taken_apart() -> None:
    two = "👩\u200d👩\u200d👧" * 2

    assert [two[start:end] for start, end, _ in fold(two, 3)] == [two[:5], two[5:]]
