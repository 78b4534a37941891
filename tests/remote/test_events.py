"""Server-sent events are read whole, wherever the stream is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.remote.events import MAX_EVENT_BYTES, EventReader, EventTooLargeError

STREAM = (
    "\ufeffdata: first\n\n"
    ": a comment\n\n"
    'event: message\ndata: {"text": "añ漢👩‍👩‍👧"}\r\nid: 7\r\n\r\n'
    "data\n\n"
    "data:two\rdata: lines\r\r"
    "retry: 10\n\ndata: [DONE]\n\n"
).encode()
EVENTS = ["first", '{"text": "añ漢👩‍👩‍👧"}', "two\nlines", "[DONE]"]


def read(pieces: list[bytes]) -> list[str]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_pieces_of_any_size_give_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[a:b] for a, b in pairwise(edges)]) == EVENTS


def test_single_bytes_give_the_same_events() -> None:
    assert read([bytes([one]) for one in STREAM]) == EVENTS


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    for event in read(pieces):
        event.encode()


def test_an_event_that_is_cut_off_is_dropped() -> None:
    assert read([b"data: whole\n\ndata: caf" + "é".encode()[:1]]) == ["whole"]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert read([b"data: a\xff\xfeb\n\n"]) == ["a\ufffd\ufffdb"]


@pytest.mark.parametrize("piece", [b"x" * 70_000, b"data: " + b"y" * 70_000 + b"\n"])
def test_a_line_or_an_event_without_an_end_is_refused(piece: bytes) -> None:
    reader = EventReader()
    for _ in range(MAX_EVENT_BYTES // len(piece)):
        assert list(reader.feed(piece)) == []
    with pytest.raises(EventTooLargeError):
        list(reader.feed(piece))


def test_comments_may_come_for_ever() -> None:
    reader = EventReader()
    for _ in range(MAX_EVENT_BYTES // 65536 + 2):
        assert list(reader.feed(b":" + b"p" * 65534 + b"\n")) == []
    assert list(reader.feed(b"data: still here\n\n")) == ["still here"]
