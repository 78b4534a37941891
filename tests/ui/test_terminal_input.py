"""Pastes read in bulk: the same events as Textual's own parser, wherever a read is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser

from gemma_chat.ui.terminal_input import BulkPasteParser

BEGIN, END = "\x1b[200~", "\x1b[201~"


def read(parser: XTermParser, *chunks: str) -> list[str]:
    """Keys by name, pastes as `paste:` and their text."""
    seen = []
    for chunk in chunks:
        for event in parser.feed(chunk):
            if isinstance(event, events.Paste):
                seen.append(f"paste:{event.text}")
            elif isinstance(event, events.Key):
                seen.append(event.key)
    return seen


def test_keys_around_a_paste_are_keys() -> None:
    assert read(BulkPasteParser(), f"a{BEGIN}one\r\ntwo{END}b") == ["a", "paste:one\r\ntwo", "b"]


def test_two_pastes_in_one_read_are_two() -> None:
    assert read(BulkPasteParser(), f"{BEGIN}x{END}{BEGIN}y{END}") == ["paste:x", "paste:y"]


def test_nul_is_left_out_and_escape_sequences_are_text() -> None:
    assert read(BulkPasteParser(), f"{BEGIN}a\0b\x1b[2J{END}") == ["paste:ab\x1b[2J"]


@given(st.text(alphabet="ab\x1b[201~", max_size=40), st.integers(1, 7))
def test_a_paste_cut_anywhere_arrives_whole(text: str, step: int) -> None:
    text = text.replace(END, "")
    whole = f"{BEGIN}{text}{END}z"
    chunks = [BEGIN, *(whole[i : i + step] for i in range(len(BEGIN), len(whole), step))]
    assert read(BulkPasteParser(), *chunks) == [f"paste:{text.partition(END)[0]}", "z"]


@pytest.mark.parametrize("cut", range(1, len(BEGIN)))
def test_a_beginning_that_is_cut_is_still_a_paste(cut: int) -> None:
    chunks = (BEGIN[:cut], f"{BEGIN[cut:]}text{END}z")
    assert read(BulkPasteParser(), *chunks) == read(XTermParser(), *chunks)
