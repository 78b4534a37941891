"""Conversations from files of other programs, and from files that are anything at all."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.errors import ExchangeError, GemmaChatError
from gemma_chat.exchange import reading
from gemma_chat.exchange.message_tree import check_branches
from gemma_chat.exchange.reading import parse_conversations, read_conversations
from gemma_chat.exchange.transcript import Line, Tab, Transcript


def node(parent: str | None, role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    message = {"author": {"role": role}, "content": {"content_type": "text", "parts": list(parts)}}
    return {"parent": parent, "children": [], "message": {**message, **more}}


CHATGPT: list[dict[str, Any]] = [
    {
        "title": "Tides",
        "create_time": 1_700_000_000.25,
        "current_node": "d",
        "mapping": {
            "root": {"parent": None, "children": ["s"], "message": None},
            "s": node("root", "system", ""),
            "a": node("s", "user", "Why tides?", create_time=1_700_000_001),
            "b": node("a", "assistant", "A first try"),
            "c": node("a", "assistant", "The moon.", {"content_type": "image_asset_pointer"}),
            "hidden": node(
                "c", "user", "secret", metadata={"is_visually_hidden_from_conversation": True}
            ),
            "d": node("hidden", "user", "And the sun?"),
        },
    },
    {"title": "Empty", "mapping": {}},
]

WEBUI: dict[str, Any] = {
    "conv": {"id": "x", "name": "Tides", "lastModified": 1_700_000_009_000, "currNode": "4"},
    "messages": [
        {"id": "1", "type": "root", "role": "system", "content": "", "parent": None},
        {"id": "s", "type": "text", "role": "system", "content": "Be brief.", "parent": "1"},
        {
            "id": "2",
            "type": "text",
            "role": "user",
            "content": "Why tides?",
            "parent": "s",
            "timestamp": 1_700_000_001_500,
        },
        {"id": "3", "type": "text", "role": "assistant", "content": "Another", "parent": "2"},
        {"id": "4", "type": "text", "role": "assistant", "content": "The moon.", "parent": "2"},
    ],
}


def parsed(document: Any) -> tuple[Transcript, ...]:
    return parse_conversations(json.dumps(document).encode())


def said(transcript: Transcript) -> list[tuple[str, str]]:
    return [(line.role, line.text) for line in transcript.lines]


def read_or_refused(content: bytes) -> tuple[Transcript, ...]:
    """What is read; nothing when it is refused with a sentence."""
    with contextlib.suppress(ExchangeError):
        return parse_conversations(content)
    return ()


def test_of_a_chatgpt_export_the_branch_that_was_shown_is_read() -> None:
    [tides] = parsed(CHATGPT)
    assert (tides.title, tides.created) == ("Tides", 1_700_000_000.25)
    assert said(tides) == [
        ("user", "Why tides?"),
        ("assistant", "The moon.\n\n[image asset pointer]"),
        ("user", "And the sun?"),
    ]


def test_without_a_current_node_the_newest_leaf_counts() -> None:
    document = [{**CHATGPT[0], "current_node": None}]
    document[0]["mapping"] = {
        "a": node(None, "user", "Question", create_time=1),
        "b": node("a", "assistant", "Older", create_time=2),
        "c": node("a", "assistant", "Newer", create_time=3),
    }
    assert said(parsed(document)[0])[-1] == ("assistant", "Newer")


def test_of_the_web_page_of_llama_cpp_the_branch_that_is_shown_is_read() -> None:
    [tides] = parsed(WEBUI)
    assert (tides.title, tides.created) == ("Tides", 1_700_000_001.5)
    assert tides.settings.system_instruction == "Be brief."
    assert said(tides) == [("user", "Why tides?"), ("assistant", "The moon.")]
    assert len(parsed([WEBUI, WEBUI])) == 2


def test_messages_in_a_ring_are_refused() -> None:
    mapping = {"a": node("b", "user", "x"), "b": node("a", "assistant", "y")}
    with pytest.raises(ExchangeError, match="ring"):
        parsed([{"title": "t", "mapping": mapping, "current_node": "a"}])


OWN = {"format": "gemma-chat conversations", "version": 1}


@pytest.mark.parametrize(
    ("content", "said_"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest", "zip archive"),
        (b'[{"mapping": {"a"', "not whole JSON"),
        (b"\xff\xfe\x00", "not whole JSON"),
        (b"[" * 100_000, "nested too deeply|not whole JSON"),
        (b"[]", "no list of conversations"),
        (b"null", "no list of conversations"),
        (b'{"a": 1}', "no list of conversations"),
        (b'[{"mapping": {}}]', "no conversation with a message"),
        (b'[{"mapping": 3}]', "number 1 has no mapping"),
        (b'[{"mapping": {}}, 7]', "number 2 has no mapping"),
        (b'{"conv": 1, "messages": []}', "number 1 has no messages"),
        (json.dumps({**OWN, "version": 9}).encode(), "newer gemma-chat"),
        (json.dumps({**OWN, "conversations": 5}).encode(), "not as gemma-chat writes it"),
        (
            json.dumps(
                {**OWN, "conversations": [{"title": "t", "messages": [{"role": "x"}]}]}
            ).encode(),
            "not as gemma-chat writes it",
        ),
    ],
)
def test_what_cannot_be_read_is_a_sentence(content: bytes, said_: str) -> None:
    with pytest.raises(ExchangeError, match=said_):
        parse_conversations(content)


def test_a_file_of_before_names_no_model_and_arranges_no_tab() -> None:
    messages = [{"role": "user", "text": "x"}, {"role": "assistant", "text": "y", "created": 5.0}]
    [found] = parsed({**OWN, "conversations": [
        {"title": "t", "messages": messages, "created": 4.0, "settings": {}}
    ]})  # fmt: skip
    assert found == Transcript("t", (Line("user", "x"), Line("assistant", "y", 5.0)), 4.0)


OWN_TREE: list[dict[str, Any]] = [
    {"role": "user", "text": "Why?"},
    {"role": "assistant", "text": "First", "chosen": False},
    {
        "role": "assistant",
        "text": "Second",
        "parent": 1,
        "asides": [{"type": "thought", "at": 0, "text": "Hm"}, {"type": "tool_use", "at": 0}],
        "attachments": [
            {"name": "a.png", "digest": "ab", "kind": "image", "format": "png", "size": 1}
        ],
    },
]


def own(*messages: dict[str, Any]) -> dict[str, Any]:
    """A file of the program's own with one conversation."""
    return {**OWN, "version": 2, "conversations": [{"title": "t", "messages": messages}]}


def test_the_branches_of_a_file_are_read_and_what_a_later_program_adds_is_passed_over() -> None:
    [found] = parsed(own(*({**message, "later": [1]} for message in OWN_TREE)))
    assert [line.text for line in found.lines] == ["Why?", "First", "Second"]
    assert [line.text for line in found.shown] == ["Why?", "Second"]
    assert [type(aside).__name__ for aside in found.lines[2].asides] == ["Thought", "ToolUse"]
    assert found.lines[2].attachments[0].name == "a.png"


@pytest.mark.parametrize(
    ("places", "said_"),
    [
        ([(2, True), (1, True)], "message 1 follows message 2, which does not stand before it"),
        ([(1, True)], "message 1 follows message 1,"),
        ([(0, True), (99, True)], "message 2 follows message 99,"),
        ([(0, True), (-1, True)], "message 2 follows message -1,"),
        ([(0, True), (10**30, True)], "message 2 follows|not as gemma-chat writes it"),
        ([(0, True), (0, True)], "begins with, 2 are chosen; exactly one"),
        ([(0, True), (1, False)], "that follow message 1, 0 are chosen; exactly one"),
    ],
)
def test_messages_that_are_no_tree_are_refused(places: list[tuple[int, bool]], said_: str) -> None:
    messages = ({"role": "user", "text": "x", "parent": at, "chosen": on} for at, on in places)
    with pytest.raises(ExchangeError, match=said_):
        parsed(own(*messages))


def test_a_conversation_of_too_many_messages_or_branches_is_refused() -> None:
    with pytest.raises(ExchangeError, match="has 200,001 messages; at most 200,000"):
        check_branches([(None, True)] * 200_001)
    with pytest.raises(ExchangeError, match="more than 10,000 messages follow message 0"):
        check_branches([(0, False)] * 10_001)


def test_a_sign_of_a_later_program_is_none_here() -> None:
    tab = {"mark": "anchor", "group": "Work"}
    message = {"role": "user", "text": "x"}
    [found] = parsed({**OWN, "conversations": [{"title": "t", "messages": [message], "tab": tab}]})
    assert found.tab == Tab("Work")


def test_settings_that_are_not_allowed_are_refused() -> None:
    message = {"role": "user", "text": "x"}
    settings = {"sampling": {"temperature": 99}}
    with pytest.raises(GemmaChatError, match="temperature"):
        parsed({**OWN, "conversations": [
            {"title": "t", "messages": [message], "settings": settings}
        ]})  # fmt: skip


@pytest.mark.parametrize("wrong", [None, 3, "x", [], {}, True, 1e400, -5, [[]], {"role": 1}])
def test_a_wrong_type_anywhere_is_left_out_or_a_sentence(wrong: Any) -> None:
    for document in (CHATGPT[0], WEBUI, own(*OWN_TREE)):
        for spoilt in _spoilt(document, wrong):
            for found in read_or_refused(json.dumps(spoilt).encode()):
                assert all(isinstance(line.text, str) for line in found.lines)


def _spoilt(value: Any, wrong: Any) -> list[Any]:
    """`value` with each thing within it replaced by `wrong`, one at a time."""
    if isinstance(value, dict):
        return [
            {**value, key: spoilt}
            for key in value
            for spoilt in (wrong, *_spoilt(value[key], wrong))
        ]
    if isinstance(value, list):
        return [
            [*value[:at], spoilt, *value[at + 1 :]]
            for at in range(len(value))
            for spoilt in (wrong, *_spoilt(value[at], wrong))
        ]
    return []


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_sentence(content: bytes) -> None:
    assert read_or_refused(content) == ()


def test_the_file_is_named_in_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text("{")
    with pytest.raises(ExchangeError, match=r"export\.json cannot be imported"):
        read_conversations(path)
    with pytest.raises(ExchangeError, match=r"no file .*missing"):
        read_conversations(tmp_path / "missing")
    with pytest.raises(ExchangeError, match=r"cannot be read|not a regular"):
        read_conversations(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExchangeError, match="not a regular file"):
        read_conversations(tmp_path / "pipe")


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 10)
    (tmp_path / "large.json").write_text(" " * 11)
    with pytest.raises(ExchangeError, match="Split it"):
        read_conversations(tmp_path / "large.json")
