"""Colours for code: what kind of word each stretch of it is."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

from gemma_chat.ui.markdown.lines import Run, Runs, Tag, Tags

if TYPE_CHECKING:
    from pygments.lexer import Lexer

log = logging.getLogger(__name__)

MAX_WHOLE = 16_000
"""Characters up to which a finished block is coloured as a whole; longer ones line by line."""
_MAX_LINE = 1_000
"""A longer line is no code that a person wrote; it stays plain."""

_FENCE: Tags = frozenset({"fence"})
_KINDS: dict[str, Tag] = {
    "Comment": "comment",
    "Keyword": "keyword",
    "Literal.String": "string",
    "Literal.Number": "number",
    "Operator.Word": "keyword",
    "Operator": "operator",
    "Name.Function": "name",
    "Name.Class": "name",
    "Name.Decorator": "name",
    "Name.Tag": "keyword",
    "Name.Attribute": "name",
    "Name.Builtin": "keyword",
    "Generic.Deleted": "error",
    "Generic.Inserted": "string",
    "Generic.Heading": "name",
    "Generic.Subheading": "name",
}


@lru_cache(maxsize=64)
def code_lines(code: str, language: str) -> tuple[Runs, ...]:
    """The lines of a finished block."""
    lines = code.split("\n")
    lexer = _lexer(language)
    if lexer is None or len(code) > MAX_WHOLE or any(len(line) > _MAX_LINE for line in lines):
        return tuple(code_line(line, language) for line in lines)
    return tuple(_coloured(code, lexer))


@lru_cache(maxsize=2048)
def code_line(line: str, language: str) -> Runs:
    """One line on its own, as while a block is still being written."""
    lexer = _lexer(language)
    if lexer is None or not line.strip() or len(line) > _MAX_LINE:
        return (Run(line, _FENCE),) if line else ()
    return _coloured(line, lexer)[0]


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    if not language:
        return None
    # Loaded late: only who reads code pays for it.
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _coloured(code: str, lexer: Lexer) -> list[Runs]:
    try:
        tokens = [(str(kind).removeprefix("Token."), text) for kind, text in lexer.get_tokens(code)]
    except Exception:  # Lexers are by hundreds of authors, and the code is by a model.
        log.debug("no colours from %s", lexer.name, exc_info=True)
        tokens = []
    if "".join(text for _, text in tokens) != code:
        tokens = [("", code)]
    lines: list[list[Run]] = [[]]
    for kind, text in tokens:
        tags = _tags(kind)
        for index, piece in enumerate(text.split("\n")):
            if index:
                lines.append([])
            if piece:
                runs = lines[-1]
                if runs and runs[-1].tags == tags:
                    runs[-1] = Run(runs[-1].text + piece, tags)
                else:
                    runs.append(Run(piece, tags))
    return [tuple(runs) for runs in lines]


@lru_cache(maxsize=256)
def _tags(kind: str) -> Tags:
    name = kind
    while name:
        if tag := _KINDS.get(name):
            return _FENCE | {tag}
        name = name.rpartition(".")[0]
    return _FENCE
