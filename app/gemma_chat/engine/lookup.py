"""Prompt lookup: what a reply may go on with, guessed from what the session already holds.

Where a reply quotes (a summary, an edit, code), the tokens that followed the same words earlier
follow them again. Pure: it knows tokens and nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

LONGEST_MATCH = 3
SHORTEST_MATCH = 2
LONGEST_DRAFT = 8
"""Guessed tokens verified in one batch; more of them cost as much as they bring on a CPU."""
_REACH = 32_768
"""Tokens of a session that are looked back over, so that a guess takes bounded memory."""
_FIRST_ACCEPTANCE = {2: 0.4, 3: 0.5, 4: 0.6, 6: 0.7, 8: 0.8}
"""The share of right guesses to begin with, by how many tokens before the guess are the same."""
_MOST_COMPARED = max(_FIRST_ACCEPTANCE)
_NEWEST = 0.15
"""The weight of the newest guess in the running mean of right ones."""
_WORTHWHILE = 1.05
"""How much faster than single tokens a batch must promise to be."""
_BATCH_COST = 1.1
_TOKEN_COST = 0.33
"""What a batch costs, and each guessed token in it, in times of a single token. Measured on two
cores with weights in Q4_1, whose batches are slow; those in Q4_K take 0.2 a token."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Guessed tokens, and how many tokens before them are the same as where they were found."""

    tokens: tuple[int, ...]
    matched: int


NOTHING = Draft((), 0)


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

    def draft(self, most: int) -> Draft:
        """At most `most` tokens that may come next: what followed the longest match."""
        for length in range(LONGEST_MATCH, SHORTEST_MATCH - 1, -1):
            at = self._found.get(length)
            if at is not None:
                # Media stand among the tokens as negative numbers, which no reply has.
                guess = tuple(takewhile(lambda token: token >= 0, self._tokens[at : at + most]))
                return Draft(guess, self._same_before(at, length)) if guess else NOTHING
        return NOTHING

    def _same_before(self, at: int, length: int) -> int:
        """How many tokens before `at` are those at the end, at least `length` of them."""
        tokens, end = self._tokens, len(self._tokens)
        while (
            length < min(_MOST_COMPARED, at) and tokens[at - length - 1] == tokens[end - length - 1]
        ):
            length += 1
        return length


class DraftLength:
    """How many guessed tokens are worth verifying in one batch.

    It follows how many guesses were right and nothing else: a choice that looked at the clock would
    change the batches, and with them the rounding, from one run to the next. Guesses are judged
    also while none is verified (the token that was sampled tells), so that a reply that begins to
    quote is noticed at no cost.
    """

    def __init__(self) -> None:
        self._accepted = dict(_FIRST_ACCEPTANCE)

    def judged(self, draft: Draft, accepted: int) -> None:
        """The first `accepted` tokens of `draft` were right, and the next one, if any, wrong."""
        for number in range(min(accepted + 1, len(draft.tokens))):
            kind = _kind(draft.matched + number)
            self._accepted[kind] += _NEWEST * (float(number < accepted) - self._accepted[kind])

    def choose(self, draft: Draft) -> int:
        """How many tokens of `draft` to verify; 0 when a single token is faster."""
        best, fastest = 0, _WORTHWHILE
        if not draft.tokens:
            return best
        share = self._accepted[_kind(draft.matched)]
        expected = 1.0
        for length in range(1, len(draft.tokens) + 1):
            expected += share**length
            if (speed := expected / (_BATCH_COST + _TOKEN_COST * length)) > fastest:
                best, fastest = length, speed
        return best


def _kind(matched: int) -> int:
    return max(
        (length for length in _FIRST_ACCEPTANCE if length <= matched), default=SHORTEST_MATCH
    )


class Speculation:
    """What one turn guesses and how that goes.

    Its guesses depend on the session's tokens alone, so a turn that is repeated, preempted or
    resumed verifies the same guesses in the same batches.
    """

    def __init__(self) -> None:
        self._lookup = PromptLookup()
        self._length = DraftLength()
        self._guess = NOTHING
        self._known = 0
        self._batches: dict[int, tuple[int, ...]] = {}

    def draft(self, tokens: Sequence[int], most: int) -> tuple[int, ...]:
        """At most `most` tokens worth verifying after `tokens`, which only ever grow."""
        self._lookup.extend(tokens[self._known :])
        self._known = len(tokens)
        self._guess = self._lookup.draft(max(min(most, LONGEST_DRAFT), 0))
        return self._guess.tokens[: self._length.choose(self._guess)]

    def sampled(self, draft: Sequence[int], accepted: int, token: int) -> None:
        """After `draft` was verified, or none was: so many were right, and then came `token`."""
        guess = self._guess.tokens
        if draft:
            self._length.judged(Draft(tuple(draft), self._guess.matched), accepted)
        elif guess:
            self._length.judged(Draft(guess[:1], self._guess.matched), int(guess[0] == token))

    def verified(self, position: int, batch: Sequence[int]) -> None:
        """Remember the batch that was evaluated at a position."""
        self._batches[position] = tuple(batch)

    def batch_at(self, position: int) -> tuple[int, ...]:
        """The batch with guesses that was evaluated at a position, or none."""
        return self._batches.get(position, ())
