"""Prompts: messages kept for later, with blanks that are filled in when one is used.

A blank is `{{name}}`, or `{{name = default}}`. `{{input}}` takes what stands in the input. Two
forms of file: TOML with `text`, and Markdown whose first lines may be an explanation between two
lines of `+++`, in TOML too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemma_chat.errors import SettingsError

INPUT = "input"
"""The blank that is filled with what stands in the input."""

MAX_CHARACTERS = 200_000
MAX_BLANKS = 12
MAX_EXPLANATION = 300

_BLANK = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_ -]{0,39}?)\s*(?:=([^{}\n]*))?\}\}")
_FRONT = re.compile(r"\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Blank:
    """Something to fill in."""

    name: str
    default: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A message with blanks."""

    name: str
    text: str
    explanation: str = ""

    @property
    def blanks(self) -> tuple[Blank, ...]:
        """What is to be filled in, each once, in the order in which it occurs."""
        found: dict[str, Blank] = {}
        for match in _BLANK.finditer(self.text):
            name, default = match.group(1), (match.group(2) or "").strip()
            if name not in found or (default and not found[name].default):
                found[name] = Blank(name, default)
        return tuple(found.values())

    def filled(self, values: Mapping[str, str]) -> str:
        """The message; a blank without a value takes its default."""
        defaults = {blank.name: blank.default for blank in self.blanks}

        def value_of(match: re.Match[str]) -> str:
            name = match.group(1)
            return values.get(name) or defaults[name]

        return _BLANK.sub(value_of, self.text).strip()


def prompt_of_table(name: str, table: Mapping[str, Any]) -> Prompt:
    """The prompt in a TOML document; raises `SettingsError`."""
    for key in table:
        if key not in ("text", "explanation"):
            raise SettingsError(f"{key[:40]!r} is not known; a prompt has text and explanation.")
    text, explanation = table.get("text"), table.get("explanation", "")
    if not isinstance(text, str) or not isinstance(explanation, str):
        raise SettingsError('it needs text = "…", and explanation must be a text.')
    return _checked(Prompt(name, text.strip("\n"), _one_line(explanation)))


def prompt_of_markdown(name: str, text: str) -> Prompt:
    """The prompt in a Markdown file; raises `SettingsError`."""
    from gemma_chat.config.document import parse_document

    text = text.replace("\r\n", "\n")
    front = _FRONT.match(text)
    if front is None:
        return _checked(Prompt(name, text.strip("\n")))
    table = dict(parse_document(front.group(1)))
    return prompt_of_table(name, {**table, "text": text[front.end() :]})


def _checked(prompt: Prompt) -> Prompt:
    if not prompt.text.strip():
        raise SettingsError("it has no text.")
    if len(prompt.text) > MAX_CHARACTERS:
        raise SettingsError(
            f"its text has {len(prompt.text):,} characters; at most {MAX_CHARACTERS:,} are allowed."
        )
    blanks = len(prompt.blanks)
    if blanks > MAX_BLANKS:
        raise SettingsError(f"it has {blanks} blanks; at most {MAX_BLANKS} are allowed.")
    return prompt


def _one_line(text: str) -> str:
    return " ".join(text.split())[:MAX_EXPLANATION]
