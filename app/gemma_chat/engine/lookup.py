"""Prompt lookup: what a reply may go on with, guessed from what the session already holds.

Where a reply quotes (a summary, an edit, code), the tokens that followed the same words earlier
follow them again. Pure: it knows tokens and nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_MATCH = 3
SHORTEST_MATCH = 2
LONGEST_DRAFT = 8
"""Guessed tokens verified in one batch; more of them cost as much as they bring on a CPU."""
_REACH = 32_768
"""Tokens of a session that are looked back over, so that a guess takes bounded memory."""
_FIRST_ACCEPTANCE = 0.5
_NEWEST = 0.15
"""The weight of the newest guess in the running mean of right ones."""
_WORTHWHILE = 1.05
"""How much faster than single tokens a batch must promise to be."""
_COST = 0.15
"""What one more token in a batch adds, in times of a single one, as measured on CPUs."""


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
        for token in tokens[-_REACH:]:
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
    """How many guessed tokens are worth verifying in one batch.

    It follows how many guesses were right and nothing else: a choice that looked at the clock would
    change the batches, and with them the rounding, from one run to the next. Guesses are judged
    also while none is verified (the token that was sampled tells), so that a reply that begins to
    quote is noticed at no cost.
    """

    def __init__(self) -> None:
        self._accepted = _FIRST_ACCEPTANCE

    def judged(self, drafted: int, accepted: int) -> None:
        """The first `accepted` of `drafted` tokens were right, and the next one, if any, wrong."""
        for right in [1.0] * accepted + [0.0] * (accepted < drafted):
            self._accepted += _NEWEST * (right - self._accepted)

    def choose(self, available: int) -> int:
        """How many of the `available` guessed tokens to verify; 0 when a single token is faster."""
        best, fastest = 0, _WORTHWHILE
        for length in range(1, min(available, LONGEST_DRAFT) + 1):
            if (speed := self._speed(length)) > fastest:
                best, fastest = length, speed
        return best

    def _speed(self, drafted: int) -> float:
        """Expected tokens in the time that a single one takes."""
        expected = sum(self._accepted**number for number in range(drafted + 1))
        return expected / (1 + _COST * drafted)


class Speculation:
    """What one turn guesses and how that goes.

    Its guesses depend on the session's tokens alone, so a turn that is repeated, preempted or
    resumed verifies the same guesses in the same batches.
    """

    def __init__(self) -> None:
        self._lookup = PromptLookup()
        self._length = DraftLength()
        self._known = 0
        self._batches: dict[int, tuple[int, ...]] = {}

    def draft(self, tokens: Sequence[int], most: int) -> tuple[int, ...]:
        """At most `most` tokens worth verifying after `tokens`, which only ever grow."""
        self._lookup.extend(tokens[self._known :])
        self._known = len(tokens)
        guess = self._lookup.draft(LONGEST_DRAFT)
        return tuple(guess[: min(self._length.choose(len(guess)), max(most, 0))])

    def sampled(self, draft: Sequence[int], accepted: int, token: int) -> None:
        """After `draft` was verified, or none was: so many were right, and then came `token`."""
        if draft:
            self._length.judged(len(draft), accepted)
        elif guess := self._lookup.draft(1):
            self._length.judged(1, int(guess[0] == token))

    def verified(self, position: int, batch: Sequence[int]) -> None:
        """Remember the batch that was evaluated at a position."""
        self._batches[position] = tuple(batch)

    def batch_at(self, position: int) -> tuple[int, ...]:
        """The batch with guesses that was evaluated at a position, or none."""
        return self._batches.get(position, ())
