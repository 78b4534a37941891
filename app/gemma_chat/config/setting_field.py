"""A setting: its kind, its range, and how it is read from a person or a TOML document."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from gemma_chat.config import logit_bias
from gemma_chat.config.sampling import MAX_STOP_STRINGS
from gemma_chat.errors import SettingsError

Kind = Literal["text", "texts", "biases", "whole", "number", "switch", "switch_or_auto", "choice"]

_SHOWN_CHARACTERS = 60
_SWITCHES = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}


class NotAllowed(ValueError):
    """A value that its field does not allow; the message says which values it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One setting: its kind, its range and a line that explains it.

    For texts, `minimum` and `maximum` are lengths in characters; for `texts`, `maximum` is that of
    each. An optional one is None inside, and the empty string in TOML, which has no null.
    """

    section: str
    name: str
    kind: Kind
    explanation: str
    minimum: float = 0
    maximum: float = 0
    optional: bool = False
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The dotted name, `section.name`."""
        return f"{self.section}.{self.name}"

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        low, high = f"{self.minimum:,.10g}", f"{self.maximum:,.10g}"
        empty = ", or empty" if self.optional else ""
        match self.kind:
            case "switch":
                return "true or false"
            case "switch_or_auto":
                return 'true, false or "auto"'
            case "choice":
                return " or ".join(self.choices)
            case "text":
                return f"a text of at most {high} characters"
            case "texts":
                return f"a list of at most {MAX_STOP_STRINGS} texts of 1 to {high} characters"
            case "biases":
                return (
                    f"a list of at most {logit_bias.MAX_LOGIT_BIASES} texts such as "
                    '"TEXT = 2.5" or "#TOKEN = never"'
                )
            case "whole":
                return f"a whole number from {low} to {high}{empty}"
            case "number":
                return f"a number from {low} to {high}{empty}"

    def from_toml(self, value: Any) -> Any:
        """The setting that `value` stands for in a TOML document; raises `NotAllowed`."""
        if self.optional and value == "":
            return None
        if not _CHECKS[self.kind](self, value):
            raise self._not_allowed(value)
        if self.kind == "number":
            return float(value)
        if self.kind == "biases":
            return self._read_biases(value)
        return tuple(value) if self.kind == "texts" else value

    def to_toml(self, value: Any) -> Any:
        """The inverse of `from_toml`."""
        if value is None:
            return ""
        if self.kind == "biases":
            return [logit_bias.written(bias) for bias in value]
        return list(value) if self.kind == "texts" else value

    def parse(self, text: str) -> Any:
        """Read what a person typed; raises `NotAllowed`. A list takes one text a line."""
        if self.kind == "text":
            return self.from_toml(text)
        if self.kind in ("texts", "biases"):
            return self.from_toml(text.splitlines())
        word = text.strip()
        if self.optional and not word:
            return None
        return self.from_toml(self._read_word(word))

    def _read_biases(self, lines: list[str]) -> tuple[logit_bias.LogitBias, ...]:
        try:
            return tuple(map(logit_bias.parsed, lines))
        except SettingsError as error:
            raise NotAllowed(str(error)) from None

    def _read_word(self, word: str) -> int | float | bool | str:
        if self.kind in ("switch", "switch_or_auto"):
            return _SWITCHES.get(word.lower(), word)
        if self.kind == "choice":
            return word
        try:
            return int(word) if self.kind == "whole" else float(word.replace(",", "."))
        except ValueError:
            raise self._not_allowed(word) from None

    def _not_allowed(self, value: Any) -> NotAllowed:
        shown = repr(value)
        if len(shown) > _SHOWN_CHARACTERS:
            shown = shown[:_SHOWN_CHARACTERS] + "…"
        return NotAllowed(f"{shown} is not allowed: {self.allowed}.")


def _is_text(field: SettingField, value: Any) -> bool:
    return isinstance(value, str) and len(value) <= field.maximum and _is_unicode(value)


def _is_texts(field: SettingField, value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_STOP_STRINGS
        and all(_is_text(field, text) and text for text in value)
    )


def _are_biases(_field: SettingField, value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= logit_bias.MAX_LOGIT_BIASES
        and all(isinstance(line, str) for line in value)
    )


def _is_number(field: SettingField, value: Any) -> bool:
    kinds = (int,) if field.kind == "whole" else (int, float)
    return (
        isinstance(value, kinds)
        and not isinstance(value, bool)
        and field.minimum <= value <= field.maximum
        and math.isfinite(value)
    )


def _is_unicode(text: str) -> bool:
    """Whether `text` can be written; undecodable arguments of a command hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: dict[Kind, Callable[[SettingField, Any], bool]] = {
    "text": _is_text,
    "texts": _is_texts,
    "biases": _are_biases,
    "whole": _is_number,
    "number": _is_number,
    "choice": lambda field, value: value in field.choices,
    "switch": lambda field, value: isinstance(value, bool),
    "switch_or_auto": lambda field, value: isinstance(value, bool) or value == "auto",
}
