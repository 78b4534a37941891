"""Events of several servers, as they write them, and events that are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.remote.chunks import (
    CallPiece,
    Chunk,
    UnreadableChunkError,
    Usage,
    error_text,
    read_chunk,
)


def event(delta: object, finish: object = None, **more: object) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "x", "choices": [choice], **more})


@pytest.mark.parametrize(
    ("data", "chunk"),
    [
        (event({"role": "assistant", "content": None}), Chunk()),
        (event({"content": "Ahoy"}), Chunk(text="Ahoy")),
        (event({"content": [{"type": "text", "text": "Ahoy"}]}), Chunk(text="Ahoy")),
        (event({"reasoning_content": "Hm"}), Chunk(thinking="Hm")),
        (event({"reasoning": "Hm", "content": ""}), Chunk(thinking="Hm")),
        (event({}, "length"), Chunk(finish="length")),
        (event(None, "stop"), Chunk(finish="stop")),
        ('{"choices": [], "usage": null}', Chunk()),
        (
            '{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}',
            Chunk(usage=Usage(9, 0, 2)),
        ),
        (
            '{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2,'
            ' "prompt_tokens_details": {"cached_tokens": 4}}}',
            Chunk(usage=Usage(9, 4, 2)),
        ),
        (
            event({}, "stop", timings={"prompt_n": 3, "cache_n": 6, "predicted_n": 5}),
            Chunk(finish="stop", usage=Usage(9, 6, 5)),
        ),
        (
            event({}, None, prompt_progress={"total": 10, "cache": 0, "processed": 4}),
            Chunk(read=4, total=10),
        ),
        (
            event({"tool_calls": [{"index": 1, "id": "c", "function": {"name": "clock"}}]}),
            Chunk(calls=(CallPiece(1, "c", "clock"),)),
        ),
        (
            event({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}),
            Chunk(calls=(CallPiece(0, "", "f", '{"a": 1}'),)),
        ),
        ('{"error": {"message": "no memory", "code": 500}}', Chunk(error="no memory")),
        ('{"error": "no memory"}', Chunk(error="no memory")),
        ('{"error": {}}', Chunk(error="an error without a text")),
        ('{"object": "error", "message": "too long"}', Chunk(error="too long")),
        (event({"content": "\ud83d"}), Chunk(text="\ud83d")),
    ],
)
def test_an_event_is_read(data: str, chunk: Chunk) -> None:
    assert read_chunk(data) == chunk


@pytest.mark.parametrize(
    "data",
    [
        "",
        "Hello",
        "<html>",
        "[]",
        "null",
        "{}",
        '{"choices": "none"}',
        '{"choices": [{"delta": {"content": 7}}]}',
        '{"choices": [{"delta": {"tool_calls": {}}}]}',
        '{"usage": {"prompt_tokens": "many"}}',
        "[" * 100_000,
        '{"n": ' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_piece_of_a_chat_is_refused(data: str) -> None:
    with pytest.raises(UnreadableChunkError):
        read_chunk(data)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_read_or_refused(value: object) -> None:
    for data in (json.dumps(value), json.dumps({"choices": [{"delta": value}], "error": value})):
        try:
            assert isinstance(read_chunk(data), Chunk)
        except UnreadableChunkError:
            continue


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"error": {"message": "m"}}, "m"),
        ({"detail": "d"}, "d"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"error": "e"}, "e"),
        (["e"], ""),
        (None, ""),
    ],
)
def test_the_sentence_is_found_in_an_error(error: object, text: str) -> None:
    assert error_text(error) == text
