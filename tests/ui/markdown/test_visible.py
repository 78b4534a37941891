"""Hostile text is shown, not obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.ui.markdown.visible import visible_line, visible_text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "␛[2J"),
        ("\x9b31m", "�31m"),
        ("a\x00b\x7f", "a␀b␡"),
        ("gpj\u202eexe", "gpj�exe"),
        ("\u2066a\u2069", "�a�"),
        ("a\u200bb\ufeff", "a�b�"),
        ("\ud83d", "�"),
        ("\U000e0041", "�"),
        ("plain é 中 👩\u200d👧", "plain é 中 👩\u200d👧"),
    ],
)
def test_what_would_act_on_a_terminal_is_shown_instead(hostile: str, shown: str) -> None:
    assert visible_text(hostile) == shown


def test_marks_do_not_pile_up() -> None:
    assert len(visible_text("e" + "\u0301" * 10_000)) < 20


def test_a_line_has_no_tabs_and_no_line_ends() -> None:
    assert visible_line("a\tb\nc") == "a   b␤c"


@given(st.text())
def test_nothing_of_the_control_categories_is_left(text: str) -> None:
    kept = {unicodedata.category(char) for char in visible_line(text)}

    assert not kept & {"Cc", "Cs", "Zl", "Zp"}
