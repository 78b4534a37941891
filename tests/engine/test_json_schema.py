"""Schemas become grammars; what cannot become one is refused by the name of its keyword."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.engine.gbnf import check_grammar, names_tokens
from gemma_chat.engine.grammar import Grammar
from gemma_chat.engine.json_schema import grammar_of
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.errors import SettingsError


def follows(engine: LlamaEngine, schema: Any, text: str) -> bool:
    """Whether a whole reply could be `text`."""
    grammar = Grammar(engine._vocabulary, grammar_of(json.dumps(schema)))
    try:
        for token in engine._vocabulary.tokenize(text.encode()):
            if not grammar.allows(token):
                return False
            grammar.accept(token)
        return grammar.allows(int(engine._vocabulary.endings[0]))
    finally:
        grammar.close()


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 120},
        "likes": {"type": "array", "items": {"enum": ["sea", "land"]}, "maxItems": 2},
    },
    "required": ["age"],
    "additionalProperties": False,
}
TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["next"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (PERSON, '{"name":"Ann","age":7,"likes":["sea","land"]}'),
        (PERSON, '{"age": 119}'),
        (TREE, '{"next":{"next":null}}'),
        ({}, '[1,{"a":null},"b",-2.5e3,true]'),
        ({"type": ["integer", "null"], "minimum": 3}, "null"),
        ({"type": ["integer", "null"], "minimum": 3}, "12"),
        ({"const": 'a "quoted"\n\\ line'}, '"a \\"quoted\\"\\n\\\\ line"'),
        ({"enum": [1, "é", None, {"a": [1]}]}, '{"a":[1]}'),
        ({"enum": [1, "é", None]}, '"é"'),
        ({"enum": ["é\U00040000\x7f"]}, '"\\u00e9\\ud8c0\\udc00\\u007f"'),
        ({"enum": ["\ud800"]}, '"\\ud800"'),
        ({"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}]}, "[true,null]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, '{"a":1,"b":2}'),
        ({"type": "object"}, '{"a":[]}'),
        ({"type": "object", "properties": {}}, "{}"),
        ({"type": "number", "minimum": 0, "maximum": 1}, "0.75"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "0.001"),
        ({"type": "number", "minimum": -2, "maximum": 3}, "-1.5"),
        ({"type": "string", "format": "date-time"}, '"2026-11-22T17:36:14Z"'),
        ({"title": "T", "description": "D", "default": 1, "type": "null"}, "null"),
        ({"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"type": "null"}}}, "null"),
    ],
    ids=str,
)
def test_what_fits_can_be_said(smollm2: LlamaEngine, schema: Any, text: str) -> None:
    assert follows(smollm2, schema, text)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (PERSON, '{"age":120}'),
        (PERSON, '{"age":-1}'),
        (PERSON, '{"age":07}'),
        (PERSON, '{"name":"","age":1}'),
        (PERSON, '{"name":"Annabel","age":1}'),
        (PERSON, '{"age":1,"likes":["sea","sea","sea"]}'),
        (PERSON, '{"age":1,"more":2}'),
        (PERSON, '{"age":1,}'),
        (PERSON, '{"name":"Ann"}'),
        (TREE, '{"next":1}'),
        ({"type": "object", "properties": {}}, '{"a":1}'),
        ({}, '"half'),
        ({}, '"\\ud800"'),
        ({}, '"a\nb"'),
        ({}, "[1,  2]"),
        ({}, "{}\n\n"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "0"),
        ({"type": "number", "minimum": 0, "maximum": 1}, "1.5"),
        ({"type": "array", "minItems": 2, "items": {"type": "null"}}, "[null]"),
    ],
    ids=str,
)
def test_what_does_not_fit_cannot_be_said(smollm2: LlamaEngine, schema: Any, text: str) -> None:
    assert not follows(smollm2, schema, text)


@examples(max_examples=60, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(0, 3000), st.integers(-(10**6) - 9, 10**6 + 3009))
def test_whole_numbers_follow_their_bounds(
    smollm2: LlamaEngine, low: int, width: int, number: int
) -> None:
    schema = {"type": "integer", "minimum": low, "maximum": low + width}
    for tried in (number, low, low + width, low - 1, low + width + 1, low + width // 2):
        assert follows(smollm2, schema, str(tried)) == (low <= tried <= low + width)


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "string", "pattern": "a+"}, "pattern"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        ({"not": {}}, "not"),
        ({"if": {}, "then": {}}, "if"),
        ({"type": "integer", "multipleOf": 2}, "multipleOf"),
        ({"anyOf": [{}], "properties": {}}, "properties"),
        ({"allOf": [{}, {}]}, "allOf with several schemas"),
        ({"$ref": "https://example.org/a.json"}, "only references within the schema"),
        ({"$ref": "#/$defs/gone"}, "refers to nothing"),
        ({"$ref": "#"}, "refers to itself"),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "refers to itself"),
        ({"type": "thing"}, "type 'thing'"),
        ({"type": 7}, "type '7'"),
        ({"enum": []}, "enum"),
        ({"enum": "a"}, "enum"),
        ({"type": "integer", "enum": ["a"]}, "no value of its type"),
        ({"anyOf": {}}, "anyOf"),
        ({"properties": []}, "wrong form"),
        ({"properties": {"a": False}}, "no object, or is false"),
        ({"type": "string", "minLength": -1}, "minLength"),
        ({"type": "string", "minLength": 5000}, "minLength = 5000"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "minItems = 3"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "No number fits minimum 5, maximum 4"),
        ({"type": "integer", "minimum": 10**30}, "minimum"),
        ({"type": "number", "minimum": "a"}, "minimum"),
        ({"properties": {str(n): {"enum": ["x" * 2000]} for n in range(1500)}}, "too large"),
        ([], "must be a JSON object"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_followed_is_named(schema: Any, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        grammar_of(json.dumps(schema))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"const": NaN}',
        "[" * 100_000,
        '{"items":' * 900 + "{}" + "}" * 900,
        '{"items":' * 40 + "{}" + "}" * 40,
        json.dumps({"anyOf": [{"type": "null"}] * 3000}),
    ],
    ids=["empty", "cut", "NaN", "deep", "deeper than it reads", "deeper than allowed", "wide"],
)
def test_hostile_schemas_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match="JSON schema"):
        grammar_of(text)


@pytest.mark.parametrize(
    "grammar",
    [
        "",
        "root ::= \0",
        "root ::= " + "(" * 100_000,
        "root ::= a\n" * 6_000,
        "root ::= " + '"a"{1000} ' * 100,
        'root ::= "a"{99999999999999999999}',
    ],
    ids=["empty", "NUL", "nested groups", "many rules", "repetitions", "a huge repetition"],
)
def test_grammars_that_would_end_the_process_are_refused(grammar: str) -> None:
    with pytest.raises(SettingsError, match="grammar"):
        check_grammar(grammar)


def test_brackets_in_texts_classes_and_comments_are_no_groups() -> None:
    check_grammar("root ::= " + '"(((" [(((] ' * 50 + "# ((((")
    assert not names_tokens('root ::= "<a>" [<!] # <b>')
    assert names_tokens("root ::= <[7]> .*")


@pytest.mark.parametrize(
    "grammar", ["root ::= root", 'a ::= "b"', "root ::= b", 'root ::= "', "root ::= [^", "}{"]
)
def test_a_grammar_that_llama_cpp_refuses_is_refused(smollm2: LlamaEngine, grammar: str) -> None:
    with pytest.raises(SettingsError, match="The grammar cannot be used"):
        Grammar(smollm2._vocabulary, grammar)


@pytest.mark.parametrize(
    "text",
    ["", '{"', '{"name":"A', '{"name":"Ann","age":1', '{"name":"é', '{"age":1,"likes":["s'],
)
def test_testing_first_bytes_first_finds_what_testing_every_token_finds(
    smollm2: LlamaEngine, text: str
) -> None:
    vocabulary = smollm2._vocabulary
    grammar = Grammar(vocabulary, grammar_of(json.dumps(PERSON)))
    for token in vocabulary.tokenize(text.encode()):
        grammar.accept(token)
    every = grammar.allowed(np.arange(vocabulary.size))
    assert grammar.all_allowed().tolist() == every.tolist()
    grammar.close()
