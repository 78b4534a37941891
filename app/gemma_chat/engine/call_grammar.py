"""A grammar (GBNF) that allows exactly one call of one of the tools, and nothing beside it.

The call is written as the chat template would write it, without freedom in its spacing: its tokens
stay the same when the conversation is rendered again. What a schema demands beyond shape (patterns,
limits of numbers) is not in the grammar; `tool_schema` checks it afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gemma_chat.engine.interface import ToolSpec
from gemma_chat.engine.marks import CallMarks
from gemma_chat.engine.tool_schema import resolved

_DEEPEST = 12
"""Levels of a schema that are followed; below them any value is allowed."""
_MOST_RULES = 2000

_JSON_RULES = {
    "value": 'string | number | boolean | "null" | array | object',
    "object": '"{" ( string ": " value ( ", " string ": " value )* )? "}"',
    "array": '"[" ( value ( ", " value )* )? "]"',
    "string": r'"\"" ( [^"\\\x00-\x1f] | "\\" ( ["\\/bfnrt] | "u" hex hex hex hex ) )* "\""',
    "hex": "[0-9a-fA-F]",
    "number": 'integer ( "." [0-9] [0-9]? [0-9]? [0-9]? [0-9]? [0-9]? )?',
    "integer": '"-"? ( "0" | [1-9] ' + "[0-9]? " * 15 + ")",
    "boolean": '"true" | "false"',
}


def required_call(tools: Sequence[ToolSpec], marks: CallMarks) -> str:
    """The grammar of one call of one of `tools`, between the marks of the model's family."""
    rules = _Rules(marks)
    calls = [rules.call(number, tool) for number, tool in enumerate(tools)]
    return rules.text(calls)


class _Rules:
    """The rules of one grammar, and how one notation writes values."""

    def __init__(self, marks: CallMarks) -> None:
        self._marks = marks
        self._gemma = marks.syntax == "gemma"
        self._rules = dict(_JSON_RULES)
        if self._gemma:
            quote = _literal(marks.string)
            self._rules |= {
                "string": f"{quote} [^<]* {quote}",
                "object": '"{" ( key ":" value ( "," key ":" value )* )? "}"',
                "array": '"[" ( value ( "," value )* )? "]"',
                "key": "[a-zA-Z_] [a-zA-Z0-9_]*",
            }

    def text(self, calls: Sequence[str]) -> str:
        """The whole grammar."""
        opening, closing = self._marks.opening, self._marks.closing
        if self._marks.syntax == "json" and self._marks.native:
            opening, closing = f"{opening}\n", f"\n{closing}"
        root = f"{_literal(opening)} ( {' | '.join(calls)} ) {_literal(closing)}"
        lines = {"root": root, **self._rules}
        return "\n".join(f"{name} ::= {rule}" for name, rule in lines.items()) + "\n"

    def call(self, number: int, tool: ToolSpec) -> str:
        """The rule of a call of one tool."""
        schema = json.loads(tool.parameters)
        arguments = self._object(resolved(schema, schema), schema, 0)
        if self._gemma:
            return self._add(f"call-{number}", f"{_literal(f'call:{tool.name}')} {arguments}")
        head = _literal(f'{{"name": {json.dumps(tool.name)}, "arguments": ')
        return self._add(f"call-{number}", f'{head} {arguments} "}}"')

    def _add(self, name: str, rule: str) -> str:
        self._rules[name] = rule
        return name

    def _next(self, rule: str) -> str:
        return self._add(f"r{len(self._rules)}", rule)

    def _value(self, schema: Any, root: Any, depth: int) -> str:
        """The name of the rule of a value with this schema."""
        schema = resolved(schema, root)
        if not isinstance(schema, dict) or depth > _DEEPEST or len(self._rules) > _MOST_RULES:
            return "value"
        if "const" in schema:
            return self._next(self._constant(schema["const"]))
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return self._next(" | ".join(map(self._constant, choices)))
        for name in ("anyOf", "oneOf"):
            branches = schema.get(name)
            if isinstance(branches, list) and branches:
                rules = [self._value(one, root, depth + 1) for one in branches]
                return self._next(" | ".join(rules))
        kinds = schema.get("type")
        names = kinds if isinstance(kinds, list) else [kinds]
        found = [self._kind(kind, schema, root, depth) for kind in names]
        return found[0] if len(found) == 1 else self._next(" | ".join(found or ["value"]))

    def _kind(self, kind: Any, schema: Mapping[str, Any], root: Any, depth: int) -> str:
        by_kind: Mapping[str, Callable[[], str]] = {
            "object": lambda: self._object(schema, root, depth),
            "array": lambda: self._array(schema, root, depth),
            "null": lambda: self._next('"null"'),
        }
        if kind is None and "properties" in schema:
            kind = "object"
        if isinstance(kind, str) and kind in by_kind:
            return by_kind[kind]()
        return str(kind) if kind in ("string", "number", "integer", "boolean") else "value"

    def _object(self, schema: Mapping[str, Any], root: Any, depth: int) -> str:
        properties = schema.get("properties")
        required = schema.get("required")
        needed = dict.fromkeys(map(str, required if isinstance(required, list) else ()), True)
        properties = needed | (properties if isinstance(properties, dict) else {})
        if not properties:
            return "object" if schema.get("additionalProperties", True) and depth else '"{}"'
        members = [
            (self._next(f"{self._key(name)} {self._value(inner, root, depth + 1)}"), name in needed)
            for name, inner in properties.items()
        ]
        return self._next(f'"{{" {self._members(members)} "}}"')

    def _members(self, members: Sequence[tuple[str, bool]]) -> str:
        """Members in their order; those that are not needed, there or not."""
        comma = '","' if self._gemma else '", "'
        first = then = '""'
        for member, needed in reversed(members):
            alone = f"{member} {then}"
            first = self._next(alone if needed else f"{alone} | {first}")
            then = self._next(f"{comma} {alone}" if needed else f"( {comma} {member} )? {then}")
        return first

    def _array(self, schema: Mapping[str, Any], root: Any, depth: int) -> str:
        item = self._value(schema.get("items"), root, depth + 1)
        comma = '","' if self._gemma else '", "'
        least, most = schema.get("minItems"), schema.get("maxItems")
        needed = isinstance(least, int) and least > 0
        several = f"{item}" if most == 1 else f"{item} ( {comma} {item} )*"
        return self._next(f'"[" {several} "]"' if needed else f'"[" ( {several} )? "]"')

    def _key(self, name: str) -> str:
        return _literal(f"{name}:") if self._gemma else _literal(f"{json.dumps(name)}: ")

    def _constant(self, value: Any) -> str:
        if self._gemma and isinstance(value, str):
            return _literal(f"{self._marks.string}{value}{self._marks.string}")
        return _literal(json.dumps(value, ensure_ascii=False))


def _literal(text: str) -> str:
    """Text as it stands in a grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
