"""Where the locale is not UTF-8 the terminal is asked, and a sentence says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.ui.test_start import PAINTED, program

from gemma_chat.ui.encoding import ASK, denies_utf8, question_for, refusal

LANG = "LANG"


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({LANG: "C.UTF-8"}, False),
        ({LANG: "de_DE.utf8"}, False),
        ({LANG: "de_DE.UTF-8", "LC_ALL": "C"}, True),
        ({LANG: "C", "LC_CTYPE": "nn_NO.UTF-8"}, False),
        ({LANG: "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({LANG: "C"}, True),
        ({}, True),
    ],
)
def test_the_terminal_is_asked_where_the_locale_is_not_utf8(
    environment: Mapping[str, str], asked: bool
) -> None:
    assert (question_for(environment) == ASK) is asked


@pytest.mark.parametrize(
    ("answer", "denies"),
    [
        ("\x1b[1;2R", False),
        ("\x1b[1;3R", True),
        ("\x1b[24;1R", True),
        ("", False),
        ("x\x1b[1", False),
    ],
)
def test_the_place_of_the_cursor_tells(answer: str, denies: bool) -> None:
    assert denies_utf8(answer) is denies


def test_the_sentence_names_the_locale_and_the_remedy() -> None:
    said = refusal({LANG: "POSIX" * 100})
    assert "'POSIXPOSIX" in said
    assert "LANG=C.UTF-8" in said
    assert "gemma-chat --plain" in said
    assert len(said) < 300


WAITING = """
import select
from gemma_chat.ui import start
make = start._app
def waiting(*arguments):
    select.select([0], [], [])
    return make(*arguments)
start._app = waiting
"""
"""The answer is there when the program looks for it."""


@pytest.mark.parametrize("column", [1, 3])
def test_a_terminal_without_utf8_is_refused_and_left_whole(tmp_path: Path, column: int) -> None:
    with program(tmp_path, before=WAITING, LANG="C") as terminal:
        terminal.until("\x1b[6n")
        terminal.send(f"\x1b[1;{column}R")
        assert terminal.wait() == 2
        assert b"does not show UTF-8 (the locale is 'C')" in terminal.output
        assert terminal.output.rindex(b"\x1b[?1049l") < terminal.output.index(b"does not show")


def test_a_terminal_that_shows_utf8_is_used_whatever_the_locale_says(tmp_path: Path) -> None:
    with program(tmp_path, before=WAITING, LANG="C") as terminal:
        terminal.until("\x1b[6n")
        terminal.send("\x1b[1;2Rtyped")
        terminal.until(PAINTED)
        terminal.until("typed")
        terminal.send("\x11")
        assert terminal.wait() == 0
