"""Prompt lookup: what a reply may go on with, guessed from what the session already holds.

Where a reply quotes (a summary, an edit, code), the tokens that followed the same words earlier
follow them again. Pure: it knows tokens and nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_MATCH = 3
SHORTEST_MATCH = 2
_FIRST_ACCEPTANCE = 0.5
_NEWEST = 0.15
"""The weight of the newest measurement in a running mean."""
_WORTHWHILE = 1.05
"""How much faster than single tokens a batch must promise to be."""
_USUAL_COST = 0.15
"""What one more token in a batch adds, in times of a single one."""


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


class DraftLength:
    """How many guessed tokens are worth verifying in one batch, by what was measured.

    Guesses are judged also while none is verified (the token that was sampled tells), so that a
    reply that begins to quote is noticed at no cost.

    Args:
        lengths: the lengths to choose from, ascending and from 1 on.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._lengths = tuple(lengths)
        self._seconds: dict[int, float] = {}
        self._accepted = _FIRST_ACCEPTANCE

    def judged(self, drafted: int, accepted: int) -> None:
        """The first `accepted` of `drafted` tokens were right, and the next one, if any, wrong."""
        for right in [1.0] * accepted + [0.0] * (accepted < drafted):
            self._accepted += _NEWEST * (right - self._accepted)

    def timed(self, drafted: int, seconds: float) -> None:
        """A batch of one token and `drafted` guessed ones took so long."""
        usual = self._seconds.get(drafted, seconds)
        self._seconds[drafted] = usual + _NEWEST * (seconds - usual)

    def choose(self, available: int) -> int:
        """How many of the `available` guessed tokens to verify; 0 when a single token is faster."""
        single = self._seconds.get(0)
        if single is None:
            return 0
        best, fastest = 0, _WORTHWHILE / single if single > 0 else 0.0
        for length in self._lengths:
            if length <= available and self._speed(length, single) > fastest:
                best, fastest = length, self._speed(length, single)
        return best

    def _speed(self, drafted: int, single: float) -> float:
        """Expected tokens per second; a length never timed counts as it was found to on CPUs."""
        expected = sum(self._accepted**number for number in range(drafted + 1))
        seconds = self._seconds.get(drafted, single * (1 + _USUAL_COST * drafted))
        return expected / max(seconds, 1e-9)
