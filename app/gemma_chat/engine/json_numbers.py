"""Ranges of numbers as GBNF: which digits may follow which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gemma_chat.errors import SettingsError

LARGEST = 10**15 - 1
"""Whole numbers have at most 15 digits: every one of them is exact in any JSON reader."""

_FRACTION = '( "." [0-9]{1,15} )?'
_SOME_FRACTION = '"." [0-9]{0,14} [1-9]'


def integer_rule(schema: Mapping[str, Any]) -> str:
    """The whole numbers within the bounds of a schema; raises `SettingsError` for none."""
    low, open_low, high, open_high = _bounds(schema)
    first = math.floor(low) + 1 if open_low else math.ceil(low)
    last = math.ceil(high) - 1 if open_high else math.floor(high)
    if first > last:
        raise _nothing(schema)
    return _whole(first, last)


def number_rule(schema: Mapping[str, Any]) -> str:
    """Numbers within the bounds of a schema, all but those between a bound and a whole number."""
    low, open_low, high, open_high = _bounds(schema)
    parts = []
    if high >= 0:
        parts += _fractions(max(low, 0), high, open_low=open_low and low >= 0, open_high=open_high)
    if low < 0:
        below = _fractions(
            max(-high, 0), -low, open_low=open_high and high <= 0, open_high=open_low, zero=False
        )
        parts += [f'"-" ( {part} )' for part in below]
    if not parts:
        raise _nothing(schema)
    return " | ".join(parts)


def _fractions(
    low: float, high: float, *, open_low: bool, open_high: bool, zero: bool = True
) -> list[str]:
    """Numbers from 0 on between two bounds, as alternatives."""
    first, last = math.ceil(low), math.floor(high)
    parts = []
    if (first == low and open_low) or (first == 0 and not zero):
        if first < last:
            parts.append(f"{_whole(first, first)} {_SOME_FRACTION}")
        first += 1
    if first < last:
        parts.append(f"( {_whole(first, last - 1)} ) {_FRACTION}")
    if first <= last and not (last == high and open_high):
        parts.append(_whole(last, last))
    return parts


def _bounds(schema: Mapping[str, Any]) -> tuple[float, bool, float, bool]:
    """The lower bound and whether it is excluded, and the upper one."""
    low, high = float(-LARGEST), float(LARGEST)
    found: dict[str, float] = {}
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        value = schema.get(keyword)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST:
            raise SettingsError(
                f"{keyword} in the JSON schema must be a number from -{LARGEST} to {LARGEST}."
            )
        found[keyword] = value
    closed_low, open_low = found.get("minimum", low), found.get("exclusiveMinimum", low - 1)
    closed_high, open_high = found.get("maximum", high), found.get("exclusiveMaximum", high + 1)
    return (
        max(closed_low, open_low),
        open_low >= closed_low,
        min(closed_high, open_high),
        open_high <= closed_high,
    )


def _nothing(schema: Mapping[str, Any]) -> SettingsError:
    bounds = ", ".join(f"{key} {str(schema[key])[:30]}" for key in schema if "imum" in key)
    return SettingsError(f"No number fits {bounds} in the JSON schema, as far as can be told.")


def _whole(first: int, last: int) -> str:
    """Whole numbers from `first` to `last`."""
    parts = []
    if first < 0:
        parts.append(f'"-" ( {_digits(max(1, -last), -first)} )')
    if last >= 0:
        parts.append(_digits(max(0, first), last))
    return f"( {' | '.join(parts)} )"


def _digits(first: int, last: int) -> str:
    parts = []
    for length in range(len(str(first)), len(str(last)) + 1):
        low = max(first, 10 ** (length - 1) if length > 1 else 0)
        high = min(last, 10**length - 1)
        parts.append(_same_length(str(low), str(high)))
    return " | ".join(parts)


def _same_length(low: str, high: str) -> str:
    """All numbers of as many digits between two of them."""
    if low == high:
        return f'"{low}"'
    rest = len(low) - 1
    if not rest:
        return f"[{low}-{high}]"
    if low[0] == high[0]:
        return f'"{low[0]}" ( {_same_length(low[1:], high[1:])} )'
    first, last = int(low[0]), int(high[0])
    parts = []
    if low[1:] != "0" * rest:
        parts.append(f'"{first}" ( {_same_length(low[1:], "9" * rest)} )')
        first += 1
    if high[1:] != "9" * rest:
        parts.append(f'"{last}" ( {_same_length("0" * rest, high[1:])} )')
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}] [0-9]{{{rest}}}")
    return " | ".join(parts)
