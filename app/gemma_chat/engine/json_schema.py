"""JSON schemas as GBNF grammars: every reply that ends by itself parses and fits the schema.

What a grammar cannot express is refused by its keyword; nothing is silently ignored but
annotations. Between the elements of the JSON stands at most one space: a small model would
otherwise fill its reply with white space. Where a schema leaves open whether something is there
(additional properties beside named ones, more than 1,000 items) it is left out, which fits too.
`oneOf` is taken as `anyOf`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any

from gemma_chat.engine.json_numbers import integer_rule, number_rule
from gemma_chat.errors import SettingsError

MAX_DEPTH = 32
MAX_SUBSCHEMAS = 2_000
MAX_GRAMMAR = 2_000_000
MAX_REPEATED = 1_000

_ANNOTATIONS = frozenset(
    (
        *("title", "description", "default", "examples", "example", "deprecated", "format"),
        *("$schema", "$id", "$comment", "$defs", "definitions", "discriminator"),
        *("readOnly", "writeOnly", "contentEncoding", "contentMediaType"),
    )
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
    "number": _BOUNDS,
    "integer": _BOUNDS,
    "boolean": (),
    "null": (),
}
_ALONE = ("$ref", "anyOf", "oneOf", "allOf", "const", "enum")
_PYTHON: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
_PRIMITIVES: Mapping[str, str] = {
    "ws": '" "?',
    "hex": "[0-9a-fA-F]",
    # Half a surrogate pair would parse as JSON and then could not be written as text.
    "unicode": "[0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex",
    "char": r'[^"\\\x00-\x1F\x7F] | "\\" ( ["\\/bfnrt] | "u" unicode )',
    "string": r'"\"" char* "\""',
    "integer": '"-"? ( "0" | [1-9] [0-9]{0,14} )',
    "number": 'integer ( "." [0-9]{1,15} )? ( [eE] [-+]? [0-9]{1,2} )?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "member": 'string ":" ws value',
    "object": '"{" ( member ( "," ws member )* )? "}"',
    "array": '"[" ( value ( "," ws value )* )? "]"',
    "value": "object | array | string | number | boolean | null",
}
_FORMATS: Mapping[str, str] = {
    "date": '[0-9]{4} "-" ( "0" [1-9] | "1" [0-2] ) "-" ( "0" [1-9] | "1" [0-9] | "2" [0-8] )',
    "time": '( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] ":" [0-5] [0-9] "Z"',
    "uuid": 'hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}',
}


@lru_cache(maxsize=64)
def grammar_of(schema: str) -> str:
    """The grammar for a JSON schema, given as JSON text.

    Raises:
        SettingsError: it is not JSON, too large, or uses a keyword that cannot be followed.
    """
    try:
        document = json.loads(schema, parse_constant=_no_number)
    except RecursionError:
        raise SettingsError("The JSON schema is nested too deeply.") from None
    except ValueError as error:
        raise SettingsError(f"The JSON schema is not JSON: {error}.") from None
    if not isinstance(document, dict | bool):
        raise SettingsError("The JSON schema must be a JSON object.")
    return _Converter(document).grammar()


class _Converter:
    """One schema on its way into rules. Every rule but those of references has a fresh name."""

    def __init__(self, document: dict[str, Any] | bool) -> None:
        self._document = document
        self._rules: dict[str, str] = {}
        self._references: dict[str, str] = {}
        self._count = 0
        self._size = 0

    def grammar(self) -> str:
        root = self._visit(self._document, 0, ())
        rules = {"root": root, **self._rules, **_PRIMITIVES}
        return "\n".join(f"{name} ::= {body}" for name, body in rules.items())

    def _rule(self, body: str) -> str:
        name = f"r{len(self._rules)}"
        self._set(name, body)
        return name

    def _set(self, name: str, body: str) -> None:
        self._rules[name] = body
        self._size += len(body)
        if self._size > MAX_GRAMMAR:
            raise SettingsError(
                f"The JSON schema is too large: its grammar has more than {MAX_GRAMMAR:,} "
                "characters. Make it smaller."
            )

    # ------------------------------------------------------------ any schema

    def _visit(self, schema: Any, depth: int, chain: tuple[str, ...]) -> str:
        """The name of a rule for `schema`; `chain` are the references it is the target of."""
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_SUBSCHEMAS:
            raise SettingsError(
                f"The JSON schema is too large: at most {MAX_SUBSCHEMAS:,} schemas within it, "
                f"nested at most {MAX_DEPTH} deep."
            )
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, dict):
            raise SettingsError(
                "The JSON schema has a schema in it that is no object, or is false: nothing fits "
                "that."
            )
        for keyword in _ALONE:
            if keyword in schema:
                return self._alone(keyword, schema, depth, chain)
        kind = schema.get("type", _implied(schema))
        if isinstance(kind, list) and kind:
            return self._any_of(
                [{**_only(schema, str(one)), "type": one} for one in kind], depth, chain
            )
        if kind is None:
            _refuse_all_but(schema, ())
            return "value"
        if not isinstance(kind, str) or kind not in _KEYWORDS:
            raise SettingsError(
                f"The JSON schema has the type {str(kind)[:40]!r}, which JSON has not."
            )
        _refuse_all_but(schema, ("type", *_KEYWORDS[kind]))
        make = self._makers().get(kind)
        return make(schema, depth + 1) if make else kind

    def _makers(self) -> dict[str, Callable[[dict[str, Any], int], str]]:
        return {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": lambda schema, _: self._number(schema, "integer", integer_rule),
            "number": lambda schema, _: self._number(schema, "number", number_rule),
        }

    def _alone(
        self, keyword: str, schema: dict[str, Any], depth: int, chain: tuple[str, ...]
    ) -> str:
        """A keyword that says all by itself."""
        value = schema[keyword]
        if keyword in ("const", "enum"):
            _refuse_all_but(schema, (keyword, "type"))
            return self._constants(schema, [value] if keyword == "const" else value)
        _refuse_all_but(schema, (keyword,))
        if keyword == "$ref":
            return self._reference(value, depth, chain)
        if not isinstance(value, list) or not value:
            raise SettingsError(f"{keyword} in the JSON schema must be a list of schemas.")
        if keyword == "allOf":
            if len(value) > 1:
                raise _unsupported("allOf with several schemas")
            return self._visit(value[0], depth + 1, chain)
        return self._any_of(value, depth, chain)

    def _any_of(self, schemas: Iterable[Any], depth: int, chain: tuple[str, ...]) -> str:
        return self._rule(" | ".join(self._visit(one, depth + 1, chain) for one in schemas))

    def _constants(self, schema: dict[str, Any], values: Any) -> str:
        if not isinstance(values, list) or not values:
            raise SettingsError("enum in the JSON schema must be a list of values.")
        kinds = schema.get("type", list(_PYTHON))
        kinds = kinds if isinstance(kinds, list) else [kinds]
        fitting = [value for value in values if any(_is(value, str(kind)) for kind in kinds)]
        if not fitting:
            raise SettingsError("enum or const in the JSON schema has no value of its type.")
        return self._rule(" | ".join(map(_literal, fitting)))

    def _reference(self, pointer: Any, depth: int, chain: tuple[str, ...]) -> str:
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            raise SettingsError(
                f"$ref {str(pointer)[:80]!r} in the JSON schema cannot be followed: only "
                "references within the schema, such as #/$defs/name, are possible."
            )
        if pointer in chain:
            raise SettingsError(f"$ref {pointer[:80]!r} in the JSON schema refers to itself.")
        if pointer not in self._references:
            name = f"ref{len(self._references)}"
            self._references[pointer] = name
            target = self._target(pointer)
            self._set(name, self._visit(target, depth + 1, (*chain, pointer)))
        return self._references[pointer]

    def _target(self, pointer: str) -> Any:
        found: Any = self._document
        for part in pointer.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key[:9]) < len(found):
                found = found[int(key[:9])]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise SettingsError(f"$ref {pointer[:80]!r} in the JSON schema refers to nothing.")
        return found

    # ------------------------------------------------------------ by type

    def _object(self, schema: dict[str, Any], depth: int) -> str:
        named = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(named, dict) or not isinstance(required, list):
            raise SettingsError("properties and required in the JSON schema have the wrong form.")
        properties = {**named, **{str(name): True for name in required if name not in named}}
        # Whoever writes "properties": {} means an object without any.
        more = schema.get("additionalProperties", "properties" not in schema)
        if not properties:
            if more is False:
                return self._rule('"{}"')
            value = self._visit(more, depth, ())
            member = self._rule(f'string ":" ws {value}')
            return self._rule(f'"{{" ( {member} ( "," ws {member} )* )? "}}"')
        members = [
            (self._rule(f'{_literal(name)} ":" ws {self._visit(one, depth, ())}'), name in required)
            for name, one in properties.items()
        ]
        return self._rule(f'"{{" {self._members(members)} "}}"')

    def _members(self, members: list[tuple[str, bool]]) -> str:
        """Members in their order, some of them optional; commas stand between those there are."""
        first = rest = '""'
        for rule, required in reversed(members):
            follows = self._rule(rest)
            if required:
                first, rest = f"{rule} {follows}", f'"," ws {rule} {follows}'
            else:
                first = f"{rule} {follows} | {self._rule(first)}"
                rest = f'( "," ws {rule} )? {follows}'
        return self._rule(first)

    def _array(self, schema: dict[str, Any], depth: int) -> str:
        fewest, most = _limits(schema, "minItems", "maxItems")
        items = schema.get("items", True)
        leading = schema.get("prefixItems", items if isinstance(items, list) else None)
        if leading is not None:
            if not isinstance(leading, list) or not fewest <= len(leading) <= most:
                raise SettingsError("prefixItems in the JSON schema does not go with its limits.")
            rules = [self._visit(one, depth, ()) for one in leading]
            return self._rule(f'"[" {_joined(rules)} "]"')
        if most == 0 or items is False:
            return self._rule('"[]"')
        item = self._visit(items, depth, ())
        following = self._rule(f'"," ws {item}')
        unbounded = "maxItems" not in schema
        upper = "" if unbounded else str(most - 1)
        listed = f"{item} {following}{{{max(fewest - 1, 0)},{upper}}}"
        return self._rule(f'"[" {listed if fewest else f"( {listed} )?"} "]"')

    def _string(self, schema: dict[str, Any], _depth: int) -> str:
        fewest, most = _limits(schema, "minLength", "maxLength")
        if "minLength" not in schema and "maxLength" not in schema:
            form = schema.get("format")
            if form == "date-time":
                return self._rule(rf'"\"" {_FORMATS["date"]} "T" {_FORMATS["time"]} "\""')
            if isinstance(form, str) and form in _FORMATS:
                return self._rule(rf'"\"" {_FORMATS[form]} "\""')
            return "string"
        upper = most if "maxLength" in schema else ""
        return self._rule(rf'"\"" char{{{fewest},{upper}}} "\""')

    def _number(
        self, schema: dict[str, Any], kind: str, rule: Callable[[Mapping[str, Any]], str]
    ) -> str:
        if not any(bound in schema for bound in _BOUNDS):
            return kind
        return self._rule(rule(schema))


def _implied(schema: dict[str, Any]) -> str | None:
    """The type of a schema that names none, by its keywords."""
    for kind, keywords in _KEYWORDS.items():
        if any(keyword in schema for keyword in keywords):
            return kind
    return None


def _only(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """What of a schema with several types is about one of them; unknown keywords stay."""
    foreign = {word for other in _KEYWORDS.values() for word in other}
    foreign -= set(_KEYWORDS.get(kind, ()))
    return {keyword: value for keyword, value in schema.items() if keyword not in foreign}


def _refuse_all_but(schema: dict[str, Any], followed: Iterable[str]) -> None:
    known = _ANNOTATIONS | set(followed)
    for keyword in schema:
        if keyword not in known:
            raise _unsupported(keyword)


def _unsupported(keyword: str) -> SettingsError:
    return SettingsError(
        f"The JSON schema uses {keyword[:60]}, which cannot be followed there. Leave it out, or "
        "write a grammar instead."
    )


def _limits(schema: dict[str, Any], lower: str, upper: str) -> tuple[int, int]:
    fewest, most = schema.get(lower, 0), schema.get(upper, MAX_REPEATED)
    for keyword, value in ((lower, fewest), (upper, most)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise SettingsError(f"{keyword} in the JSON schema must be a whole number from 0.")
    most = min(most, MAX_REPEATED)
    if fewest > most:
        raise SettingsError(
            f"{lower} = {str(fewest)[:40]} in the JSON schema is more than {upper} or than "
            f"{MAX_REPEATED:,}, the most there can be."
        )
    return fewest, most


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PYTHON.get(kind, ()))


def _joined(rules: Iterable[str]) -> str:
    return ' "," ws '.join(rules)


def _literal(value: Any) -> str:
    """A JSON value as what the reply has to hold, in GBNF.

    Not every model has tokens for every character: one beyond ASCII may be escaped instead.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    parts: list[str] = []
    for plain, letters in groupby(text, key=lambda letter: " " <= letter <= "~"):
        if plain:
            parts.append(_quoted("".join(letters)))
        else:
            parts += map(_either, letters)
    return " ".join(parts)


def _either(letter: str) -> str:
    """A character as it is, where it can be written, or as JSON escapes it."""
    escaped = _quoted(json.dumps(letter)[1:-1] if letter != "\x7f" else "\\u007f")
    if not letter.isprintable():
        return escaped
    return f"( {_quoted(letter)} | {escaped} )"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
