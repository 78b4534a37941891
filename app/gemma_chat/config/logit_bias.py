"""Logit biases: how they are given, and how they are written where a person types them.

One is written `TEXT = BIAS` or `#TOKEN = BIAS`, with `never` for what is forbidden; a text with
spaces at its ends, or one that begins with `#` or `"`, is written as a JSON string.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import msgspec

from gemma_chat.errors import SettingsError

MAX_LOGIT_BIASES = 256
MAX_BIASED_TEXT = 200
MAX_LOGIT_BIAS = 100.0
MAX_TOKEN = 2**31 - 1

NEVER = "never"
_ALLOWED = f"a number from -{MAX_LOGIT_BIAS:g} to {MAX_LOGIT_BIAS:g}, or -inf to forbid it"


class LogitBias(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is added to the logit of a token, or of every token that a text consists of.

    `bias` is `None` for what is forbidden: JSON has no infinity.
    """

    target: int | str
    bias: float | None

    def validated(self) -> LogitBias:
        """Return self, or raise `SettingsError` that names what is allowed."""
        target = self.target
        if isinstance(target, bool) or not isinstance(target, int | str):
            raise SettingsError(f"logit_bias has {target!r}; a token's number or a text is needed.")
        if isinstance(target, int) and not 0 <= target <= MAX_TOKEN:
            raise SettingsError(f"logit_bias: {target} is not allowed: tokens are numbered from 0.")
        if isinstance(target, str) and not 1 <= len(target) <= MAX_BIASED_TEXT:
            raise SettingsError(
                f"logit_bias: a text has 1 to {MAX_BIASED_TEXT} characters; this one has "
                f"{len(target)}."
            )
        bias = self.bias
        if bias is not None and not (_is_number(bias) and abs(bias) <= MAX_LOGIT_BIAS):
            raise SettingsError(f"logit_bias of {target!r} = {bias!r} is not allowed: {_ALLOWED}.")
        return self


def biases_from(given: Mapping[int | str, float]) -> tuple[LogitBias, ...]:
    """What a program gives: tokens or texts and their biases; raises `SettingsError`."""
    return tuple(
        LogitBias(target, None if bias == -math.inf else bias).validated()
        for target, bias in given.items()
    )


def check_biases(biases: tuple[LogitBias, ...]) -> None:
    """Raise `SettingsError` about the first fault."""
    if len(biases) > MAX_LOGIT_BIASES:
        raise SettingsError(
            f"logit_bias has {len(biases)} entries; at most {MAX_LOGIT_BIASES} are allowed."
        )
    for bias in biases:
        bias.validated()


def written(bias: LogitBias) -> str:
    """One bias as a person writes it."""
    target = bias.target
    if isinstance(target, int):
        name = f"#{target}"
    elif target != target.strip() or target[0] in '#"' or not target.isprintable():
        name = json.dumps(target, ensure_ascii=not target.isprintable())
    else:
        name = target
    amount = NEVER if bias.bias is None else repr(float(bias.bias)).removesuffix(".0")
    return f"{name} = {amount}"


def parsed(line: str) -> LogitBias:
    """The bias that was written; raises `SettingsError`."""
    name, equals, amount = (part.strip() for part in line.rpartition("="))
    if not equals or not name:
        raise SettingsError(
            f"The logit bias {line[:60]!r} is not allowed: write TEXT = BIAS or #TOKEN = BIAS, "
            f"BIAS being {_ALLOWED[: -len('-inf to forbid it')]}{NEVER} to forbid it."
        )
    bias: float | None
    if amount.lower() in (NEVER, "-inf"):
        bias = None
    else:
        try:
            bias = float(amount.replace(",", "."))
        except ValueError:
            raise SettingsError(
                f"The logit bias {amount[:60]!r} of {name[:60]} is not allowed: {_ALLOWED}."
            ) from None
    return LogitBias(_target(name), bias).validated()


def _target(name: str) -> int | str:
    if name.startswith("#") and name[1:].isdecimal():
        return int(name[1:12])
    if name.startswith('"'):
        try:
            text = json.loads(name)
        except ValueError:
            return name
        if isinstance(text, str):
            return text
    return name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
