"""Calls as a model writes them, and whether they obey the schema of their tool."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma_chat.engine.calls import MAX_CALL, read_call
from gemma_chat.engine.gemma_notation import NotationError, parse_call, write
from gemma_chat.engine.interface import ToolCall, ToolSpec
from gemma_chat.engine.marks import GEMMA4_CALLS, TOOL_CALL_TAGS
from gemma_chat.engine.tool_schema import fault

ANY = ToolSpec("any", "", '{"type": "object"}')
QUOTE = '<|"|>'

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text().filter(lambda text: QUOTE not in text and not text.endswith(tuple(QUOTE))),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), values, max_size=3))
def test_what_is_written_in_gemmas_notation_is_read_again(arguments: dict[str, Any]) -> None:
    assert parse_call(f"call:any{write(arguments, QUOTE)}", QUOTE) == ("any", arguments)


@settings(deadline=None)
@given(st.text('call:any{}[],<|"> \n0a', max_size=60))
def test_no_text_makes_reading_gemmas_notation_fail_but_with_a_sentence(text: str) -> None:
    for written in (text, f"call:any{{{text}"):
        call = read_call(written, GEMMA4_CALLS, [ANY])
        assert call.error == "" or call.error.endswith(".")
        assert isinstance(json.loads(call.arguments), dict)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clock{}", "begin with call:name"),
        ("call:any{a:1", "} is missing"),
        ("call:any{a:}", "value is missing"),
        ("call:any{:1}", "key is missing"),
        (f"call:any{{a:{QUOTE}x}}", "has no end"),
        ("call:any{} and more", "something follows"),
        ("call:any{a:" + "[" * 1000, "nested too deeply"),
    ],
)
def test_what_is_wrong_with_gemmas_notation_is_said(text: str, words: str) -> None:
    with pytest.raises(NotationError, match=words):
        parse_call(text, QUOTE)


def test_words_without_quotes_are_what_json_says_they_are_or_strings() -> None:
    text = "call:any{a:true,b:null,c:-1.5e3,d:Paris in May,e:NaN,f:[1, two]}"
    assert parse_call(text, QUOTE)[1] == {
        "a": True,
        "b": None,
        "c": -1500.0,
        "d": "Paris in May",
        "e": "NaN",
        "f": [1, "two"],
    }


def test_arguments_stay_as_they_were_written() -> None:
    spaced = '{"name":"any" ,"arguments" :  {"b":1,  "a": "\\u00e9"} }'
    assert read_call(spaced, TOOL_CALL_TAGS, [ANY]) == ToolCall(
        "", "any", '{"b":1,  "a": "\\u00e9"}'
    )
    in_text = json.dumps({"name": "any", "parameters": '{"a": 1}'})
    assert read_call(in_text, TOOL_CALL_TAGS, [ANY]) == ToolCall("", "any", '{"a": 1}')


def test_a_megabyte_of_arguments_is_too_long() -> None:
    call = read_call(
        '{"name": "any", "arguments": {"a": "' + "x" * 1_000_000, TOOL_CALL_TAGS, [ANY]
    )
    assert (call.name, call.arguments) == ("any", "{}")
    assert str(MAX_CALL) in call.error


PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150},
        "sex": {"enum": ["f", "m"]},
        "kind": {"const": "person"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "home": {"$ref": "#/$defs/place"},
        "id": {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 3}]},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"place": {"type": "object", "required": ["city"], "allOf": [{"type": "object"}]}},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"age": None, "sex": "f", "kind": "person", "tags": ["a"], "id": "abc"}, ""),
        ({"age": 3.0, "home": {"city": "Rome"}, "id": 7}, ""),
        ({"name": ""}, "arguments.name has 0 characters; at least 1"),
        ({"name": "Methuselah"}, "at most 5 is allowed"),
        ({"age": True}, "age must be integer or null, not True"),
        ({"age": 2.5}, "age must be integer or null, not 2.5"),
        ({"age": 200}, "age is 200; at most 150"),
        ({"sex": "x" * 500}, "must be one of 'f', 'm', not 'xxx"),
        ({"kind": "dog"}, "kind must be 'person'"),
        ({"tags": ["a", 1]}, r"tags\[1\] must be string"),
        ({"tags": ["a"] * 3}, "tags has 3 items; at most 2"),
        ({"home": {}}, "home must have 'city'"),
        ({"id": "ab"}, "id must be integer"),
        ({"more": 1}, "must not have 'more', only name, age"),
    ],
)
def test_arguments_are_held_against_the_schema(change: dict[str, Any], words: str) -> None:
    assert re.search(words, fault({"name": "Ann", **change}, PERSON))
    assert bool(words) == bool(fault({"name": "Ann", **change}, PERSON))


@pytest.mark.parametrize(
    "schema",
    [
        True,
        7,
        {"type": "nonsense", "enum": 3, "required": "a", "properties": [], "items": 1},
        {"$ref": "#"},
        {"$ref": "#/a/b"},
        {"$ref": "http://elsewhere"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}], "minimum": "low"},
        {"minLength": None, "anyOf": 3},
    ],
)
def test_a_schema_that_makes_no_sense_hinders_nobody_for_long(schema: Any) -> None:
    for value in ({}, {"a": [1, "x"]}, [[]], "text", 1.5, None):
        assert isinstance(fault(value, schema), str)
