"""Limits of a GBNF grammar that llama.cpp's parser does not keep itself.

It descends by recursion into groups and into rules that begin with rules, and writes repetitions
out as rules: a grammar that goes too far ends the process with a stack overflow or takes all
memory. The syntax: grammars/README.md of llama.cpp.
"""

from __future__ import annotations

import re

from gemma_chat.errors import SettingsError

MAX_RULES = 5_000
MAX_NESTED_GROUPS = 64
MAX_REPETITIONS = 20_000
"""All upper bounds of `{m,n}` together."""

_ELEMENTS = re.compile(
    r'"(?:\\.|[^"\\])*"?|\[(?:\\.|[^\]\\])*\]?|#[^\r\n]*|::=|[()]|\{\s*(\d*)[^}\d]*(\d*)[^}]*\}?',
    re.DOTALL,
)


def check_grammar(grammar: str) -> None:
    """Raise `SettingsError` when llama.cpp could not parse `grammar` without harm."""
    if not grammar.strip() or "\0" in grammar:
        raise SettingsError(
            "The grammar is empty or contains a NUL character: write GBNF with a rule named "
            "root, or leave the grammar out."
        )
    depth = rules = repetitions = 0
    for element in _ELEMENTS.finditer(grammar):
        match element.group()[0]:
            case "(":
                depth += 1
                _limit(f"nests groups {depth} deep", depth, MAX_NESTED_GROUPS)
            case ")":
                depth = max(0, depth - 1)
            case ":":
                rules += 1
                _limit(f"has {rules:,} rules", rules, MAX_RULES)
            case "{":
                bounds = [int(bound[:9] or 0) for bound in element.groups("")]
                repetitions += max(bounds)
                _limit(f"repeats {repetitions:,} times", repetitions, MAX_REPETITIONS)


def names_tokens(grammar: str) -> bool:
    """Whether rules ask for tokens by name or number, and not for characters only."""
    return not {"<", "!"}.isdisjoint(_ELEMENTS.sub("", grammar))


def _limit(what: str, count: int, most: int) -> None:
    if count > most:
        raise SettingsError(
            f"The grammar is too large: it {what}, and {most:,} is the most. Write it with fewer."
        )
