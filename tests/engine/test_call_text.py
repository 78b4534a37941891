"""The text of a call as it is written: a mark within a string of its arguments ends nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.call_text import CallText
from gemma_chat.engine.calls import MAX_CALL
from gemma_chat.engine.marks import CallMarks

TAGS = CallMarks("<tool_call>", "</tool_call>", "json")
FENCE = CallMarks("```tool_call\n", "\n```", "json")
GEMMA = CallMarks("<call>", "</call>", "gemma", string='<|"|>')


@given(st.text(), st.data())
def test_json_is_within_a_string_only_between_its_quotes_however_it_is_cut(
    said: str, data: st.DataObject
) -> None:
    written = f'{{"text": {json.dumps(said)}}}'
    cut = data.draw(st.integers(0, len(written)))
    call = CallText(TAGS)
    call.add(written[:cut])
    within = call.within_string
    call.add(written[cut:])
    assert str(call) == written
    assert not call.within_string
    # From the quote that opens the value to the one that closes it; or within the name.
    assert within == (10 <= cut <= len(written) - 2 or 2 <= cut <= 6)


def test_a_mark_on_a_line_of_its_own_ends_json_that_left_a_string_open() -> None:
    call = CallText(FENCE)
    call.add('{"name": "cut')
    assert not call.within_string


@pytest.mark.parametrize(("text", "within"), [("a:", False), ('a:<|"|>x', True)])
def test_gemmas_strings_have_a_mark_on_both_sides(text: str, within: bool) -> None:
    call = CallText(GEMMA)
    call.add(text)
    assert call.within_string is within


def test_a_call_is_too_long_as_soon_as_nobody_would_read_it() -> None:
    call = CallText(TAGS)
    call.add("x" * MAX_CALL)
    assert not call.too_long
    call.add("x")
    assert call.too_long


def test_the_beginning_is_there_however_many_pieces_it_came_in() -> None:
    call = CallText(TAGS)
    for piece in ("{", "", '"name"', ": 1}"):
        call.add(piece)
    assert call.beginning(2).startswith('{"')
    assert call.beginning(100) == str(call) == '{"name": 1}'
