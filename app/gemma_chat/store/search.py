"""What a person types into a search box as a query of the full-text index, and what is found."""

from __future__ import annotations

import re
import secrets
from typing import Final

import msgspec

MAX_WORDS: Final = 32
MAX_WORD_LENGTH: Final = 200
SNIPPET_TOKENS: Final = 24

_QUOTED_OR_BARE: Final = re.compile(r'"([^"]*)"|(\S+)')
_WORD: Final = re.compile(r"\w+")


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was found. `marks` are the ranges of `snippet` to highlight, in characters."""

    message: int
    session: int
    title: str
    role: str
    created: float
    snippet: str
    marks: tuple[tuple[int, int], ...]


def match_expression(query: str, *, session: int = 0, role: str = "") -> str:
    """The FTS5 expression for `query`, or an empty string when it holds no word.

    Every word must occur. The last word, which may be half typed, and one with `*` behind it stand
    for all that begin with them; words within quotation marks must follow each other. Everything
    else FTS5 would read as an operator (`AND`, `^`, `:`, brackets) is plain text: each word is
    quoted, and no quotation mark is left in it.
    """
    terms = []
    found = _QUOTED_OR_BARE.findall(query)
    for at, (quoted, bare) in enumerate(found, start=1):
        words = [word[:MAX_WORD_LENGTH] for word in _WORD.findall(quoted or bare)]
        if not words:
            continue
        phrase = f'"{" ".join(words[:MAX_WORDS])}"'
        begins = not quoted and (at == len(found) or bare.endswith("*"))
        terms.append(f"{phrase} *" if begins else phrase)
        if len(terms) == MAX_WORDS:
            break
    if not terms:
        return ""
    scopes = [f'"c{session}"'] if session else []
    if role:
        scopes.append(f'"{_WORD.findall(role)[0]}"')
    within = "".join(f" AND {{scope}} : {scope}" for scope in scopes)
    return f"{{text}} : ({' AND '.join(terms)}){within}"


class Marks:
    """The marks FTS5 puts around what it found: random, so that no stored text can forge them."""

    def __init__(self) -> None:
        name = secrets.token_hex(8)
        self.opening = f"\x02{name}<"
        self.closing = f"\x02{name}>"

    def parse(self, marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The text without the marks, and where they were."""
        text = ""
        ranges = []
        for piece in marked.split(self.opening):
            found, closed, rest = piece.partition(self.closing)
            if closed:
                ranges.append((len(text), len(text) + len(found)))
            text += found + rest
        return text, tuple(ranges)
