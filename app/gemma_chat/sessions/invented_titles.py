"""Titles that a small model made up: about anything but the conversation, which then keeps its own
first words.

Models of some hundred million parameters fall back on what they have seen often, the examples of
the question among it, where a message is short or in a language they hardly know: "Hello!" becomes
"How to make a pizza". Their good titles repeat words of the question. Larger models also find words
of their own that fit, so nothing of theirs is doubted.
"""

from __future__ import annotations

import re
from typing import Final

SMALL_PARAMETERS: Final = 1_000_000_000
"""A model with fewer is a small one. Of a server's model the number is not known, and 0."""

_TELLING: Final = re.compile(r"\w*\d\w*|\w{4,}")
"""Words that may say what something is about, and not only how the sentence goes on."""
_STEM: Final = 3
"""Letters that forms of a word have in common: leaf and leaves."""


def is_small(parameters: int) -> bool:
    """Whether titles of a model with so many parameters are to be doubted."""
    return 0 < parameters < SMALL_PARAMETERS


def is_invented(title: str, said: str) -> bool:
    """Whether a title has no word in common with what was said.

    is_invented("How to make a pizza", "Hello!")
    """
    return _stems(title).isdisjoint(_stems(said))


def _stems(text: str) -> set[str]:
    return {word[:_STEM] for word in _TELLING.findall(text.casefold())}
