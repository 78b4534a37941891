"""Whether the arguments of a call obey the schema of its tool.

The part of JSON Schema that tools are described with: types, enum and const, properties, required,
additional properties, items, the limits of numbers, strings and arrays, anyOf/oneOf/allOf and
references within the schema. Any other keyword is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_DEEPEST = 64
_MOST_VISITS = 100_000
_SHOWN = 80
"""Characters of a value that stand in a sentence about it."""

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    ),
}


def fault(value: Any, schema: Any) -> str:
    """Why `value` breaks `schema`, in words for the model that wrote it; empty when it does not."""
    return next(_Check(schema).faults(value, schema, "the arguments", 0), "")


def resolved(schema: Any, root: Any) -> Any:
    """A schema, or the one within `root` that it refers to."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        schema = root
        for name in reference[1:].split("/")[1:]:
            schema = schema.get(name) if isinstance(schema, dict) else None
    return True


class _Check:
    """One check against one schema. A schema that branches without end is not followed for ever."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = _MOST_VISITS

    def faults(self, value: Any, schema: Any, where: str, depth: int) -> Iterator[str]:
        """All that is wrong with `value`, one sentence each."""
        self._left -= 1
        if depth > _DEEPEST:
            yield f"{where} is nested too deeply"
            return
        schema = resolved(schema, self._root)
        if not isinstance(schema, dict) or self._left < 0:
            return
        yield from _wrong_kind(value, schema, where)
        yield from self._wrong_choice(value, schema, where, depth)
        if isinstance(value, dict):
            yield from self._wrong_object(value, schema, where, depth)
        elif isinstance(value, list):
            yield from _wrong_size(
                len(value), schema, "minItems", "maxItems", f"{where} has", " items"
            )
            for number, item in enumerate(value):
                yield from self.faults(item, schema.get("items"), f"{where}[{number}]", depth + 1)
        elif isinstance(value, str):
            yield from _wrong_size(
                len(value), schema, "minLength", "maxLength", f"{where} has", " characters"
            )
        elif _TYPES["number"](value):
            yield from _wrong_size(value, schema, "minimum", "maximum", f"{where} is", "")

    def _wrong_choice(
        self, value: Any, schema: Mapping[str, Any], where: str, depth: int
    ) -> Iterator[str]:
        for one in _schemas(schema.get("allOf")):
            yield from self.faults(value, one, where, depth + 1)
        for name in ("anyOf", "oneOf"):
            first = ""
            for one in _schemas(schema.get(name)):
                failure = next(self.faults(value, one, where, depth + 1), "")
                if not failure:
                    break
                first = first or failure
            else:
                if first:
                    yield first

    def _wrong_object(
        self, value: dict[str, Any], schema: Mapping[str, Any], where: str, depth: int
    ) -> Iterator[str]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        for name in required if isinstance(required, list) else ():
            if name not in value:
                yield f"{where} must have {_shown(name)}"
        others = schema.get("additionalProperties", True)
        for name, item in value.items():
            inner = f"{where}.{name}"[: 2 * _SHOWN]
            if name in properties:
                yield from self.faults(item, properties[name], inner, depth + 1)
            elif others is False:
                known = ", ".join(map(str, properties)) or "nothing"
                yield f"{where} must not have {_shown(name)}, only {known}"
            else:
                yield from self.faults(item, others, inner, depth + 1)


def _wrong_kind(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    known = [kind for kind in kinds if isinstance(kind, str) and kind in _TYPES]
    if known and not any(_TYPES[kind](value) for kind in known):
        yield f"{where} must be {' or '.join(known)}, not {_shown(value)}"
    allowed = schema.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        yield f"{where} must be one of {', '.join(map(_shown, allowed[:20]))}, not {_shown(value)}"
    if "const" in schema and value != schema["const"]:
        yield f"{where} must be {_shown(schema['const'])}, not {_shown(value)}"


def _schemas(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _wrong_size(
    size: float, schema: Mapping[str, Any], least: str, most: str, where: str, unit: str
) -> Iterator[str]:
    low, high = schema.get(least), schema.get(most)
    if isinstance(low, int | float) and size < low:
        yield f"{where} {size}{unit}; at least {low} is needed"
    if isinstance(high, int | float) and size > high:
        yield f"{where} {size}{unit}; at most {high} is allowed"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
