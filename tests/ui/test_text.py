"""Foreign text on one line: safe, and never wider than it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.ui.scripted import HOSTILE_TITLES

from gemma_chat.ui.text import age, count, one_line, padded


@pytest.mark.parametrize("title", HOSTILE_TITLES)
@pytest.mark.parametrize("cells", [1, 2, 7, 24, 200])
def test_a_hostile_title_fits_and_sends_nothing_to_the_terminal(title: str, cells: int) -> None:
    line = one_line(title, cells)
    assert cell_len(line) <= cells
    assert len(line) <= 4 * cells + 1
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in line)
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    line.encode("utf-8")


@given(st.text(), st.integers(0, 60))
def test_padded_text_has_exactly_the_width_asked_for(text: str, cells: int) -> None:
    assert cell_len(padded(text, cells)) == cells


def test_text_that_fits_is_not_changed() -> None:
    assert one_line("Reviewer über 漢字", 24) == "Reviewer über 漢字"


def test_text_that_is_cut_ends_in_an_ellipsis() -> None:
    assert one_line("Reviewer", 5) == "Revi…"


def test_a_wide_character_is_not_cut_in_half() -> None:
    assert one_line("漢字漢字", 4) == "漢…"


def test_an_escape_sequence_is_seen_as_a_sign() -> None:
    assert one_line("\x1b[31m", 10) == "␛[31m"


def test_there_is_nothing_in_no_cells() -> None:
    assert one_line("text", 0) == ""


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_200, "1.2k"), (9_949, "9.9k"), (9_950, "10k"), (1_100_000, "1.1M")],
)
def test_a_count_takes_few_cells(number: int, text: str) -> None:
    assert count(number) == text


def test_ages_are_in_words() -> None:
    assert [age(5), age(200), age(7_300), age(500_000)] == [
        "just now",
        "3 min ago",
        "2 h ago",
        "5 days ago",
    ]
