"""The notation in which Gemma writes calls: `call:name{key:value,…}`.

Strings stand between a mark of their own (a control token, so that any character may be in them),
keys stand bare, and everything else is as in JSON: numbers, true, false, null, `[…]` and `{…}`.
"""

from __future__ import annotations

import json
import re
from typing import Any

_DEEPEST = 64
_CALL = re.compile(r"call:([\w.-]{1,80})\s*(?=\{)")
_KEY = re.compile(r"\s*([\w.$-]{1,200})\s*:\s*")
_BARE = re.compile(r"[^,\[\]{}]+")


class NotationError(ValueError):
    """The text is no call in this notation; the message says why."""


def parse_call(text: str, quote: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of a call.

    Args:
        text: the call without the marks around it.
        quote: what stands on both sides of a string.

    Raises:
        NotationError: it is not a call, or something follows it.
    """
    found = _CALL.match(text)
    if found is None:
        raise NotationError("it must begin with call:name{")
    reader = _Reader(text, found.end(), quote)
    arguments = reader.object(0)
    if text[reader.at :].strip():
        raise NotationError(f"something follows its end at character {reader.at}")
    return found.group(1), arguments


def write(value: Any, quote: str) -> str:
    """A JSON value in this notation."""
    if isinstance(value, str):
        return f"{quote}{value}{quote}"
    if isinstance(value, dict):
        inner = ",".join(f"{key}:{write(item, quote)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(write(item, quote) for item in value)}]"
    return json.dumps(value)


class _Reader:
    """Reads one value after the other."""

    def __init__(self, text: str, at: int, quote: str) -> None:
        self.at = at
        self._text = text
        self._quote = quote

    def object(self, depth: int) -> dict[str, Any]:
        """A `{…}` that begins here."""
        self._descend(depth)
        result: dict[str, Any] = {}
        while not self._closes("}"):
            if result:
                self._expect(",")
            key = self._key()
            result[key] = self.value(depth + 1)
        return result

    def value(self, depth: int) -> Any:
        """Any value that begins here."""
        text, quote = self._text, self._quote
        if text.startswith(quote, self.at):
            return self._string()
        if text.startswith("{", self.at):
            return self.object(depth)
        if text.startswith("[", self.at):
            return self._array(depth)
        found = _BARE.match(text, self.at)
        if found is None:
            raise NotationError(f"a value is missing at character {self.at}")
        self.at = found.end()
        return _bare(found.group().strip())

    def _key(self) -> str:
        text, quote = self._text, self._quote
        if text.startswith(quote, self.at):
            key = self._string()
            self._expect(":")
            return key
        found = _KEY.match(text, self.at)
        if found is None:
            raise NotationError(f"a key is missing at character {self.at}")
        self.at = found.end()
        return found.group(1)

    def _string(self) -> str:
        start = self.at + len(self._quote)
        end = self._text.find(self._quote, start)
        if end < 0:
            raise NotationError(f"the string at character {self.at} has no end")
        self.at = end + len(self._quote)
        return self._text[start:end]

    def _array(self, depth: int) -> list[Any]:
        self._descend(depth)
        result: list[Any] = []
        while not self._closes("]"):
            if result:
                self._expect(",")
            result.append(self.value(depth + 1))
        return result

    def _descend(self, depth: int) -> None:
        if depth > _DEEPEST:
            raise NotationError("its arguments are nested too deeply")
        self.at += 1

    def _skip_space(self) -> None:
        while self._text[self.at : self.at + 1].isspace():
            self.at += 1

    def _closes(self, bracket: str) -> bool:
        self._skip_space()
        if self.at >= len(self._text):
            raise NotationError(f"a {bracket} is missing at its end")
        if self._text[self.at] != bracket:
            return False
        self.at += 1
        return True

    def _expect(self, character: str) -> None:
        self._skip_space()
        if self._text[self.at : self.at + 1] != character:
            raise NotationError(f"a {character!r} is missing at character {self.at}")
        self.at += 1
        self._skip_space()


def _bare(text: str) -> Any:
    """A value without quotes: a number or a word of JSON; any other word is a string."""
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text
