"""Prompt lookup: what a reply may go on with, guessed from what the session already holds.

Where a reply quotes (a summary, an edit, code), the tokens that followed the same words earlier
follow them again. Pure: it knows tokens and nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_MATCH = 3
SHORTEST_MATCH = 2


class PromptLookup:
    """Finds the most recent earlier place that ends as the tokens end now.

    Each token is looked at once, when it comes, so that a guess costs the same at any length.
    """

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self._found: dict[int, int | None] = {}

    def extend(self, tokens: Sequence[int]) -> None:
        """Take in the next tokens of the session."""
        for token in tokens:
            self._tokens.append(token)
            end = len(self._tokens)
            for length in range(SHORTEST_MATCH, LONGEST_MATCH + 1):
                if end >= length:
                    gram = tuple(self._tokens[end - length :])
                    self._found[length] = self._after.get(gram)
                    self._after[gram] = end

    def draft(self, most: int) -> list[int]:
        """At most `most` tokens that may come next: what followed the longest match."""
        for length in range(LONGEST_MATCH, SHORTEST_MATCH - 1, -1):
            at = self._found.get(length)
            if at is not None:
                return self._tokens[at : at + most]
        return []
