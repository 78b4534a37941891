"""The likeliest few of a whole vocabulary, in one cheap pass and without sorting it.

The vocabulary is dealt out to many groups. The k-th largest of the groups' maxima is a floor that
at least k logits reach; in practice few more do. In a large vocabulary only the groups whose
maximum reaches it are looked through. Pure: knows nothing of llama.cpp.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
TokenIds = npt.NDArray[np.intp]

_GROUPS_PER_TOKEN = 16
_MOST_ROWS = 64
"""Tokens in a group: those of each group that reaches the floor are looked at one by one."""
_SMALL = 65_536
"""Up to so many tokens one look at them all takes less time than finding the right groups."""


class Shortlisted(NamedTuple):
    """All tokens whose logit is at least `floor`, in ascending order."""

    tokens: TokenIds
    floor: float


class Shortlist:
    """Finds at least the `wanted` likeliest tokens among `size`; keeps its buffers.

    `wanted` may be at most `size`.
    """

    def __init__(self, size: int, wanted: int) -> None:
        self._wanted = wanted
        groups = max(size // _MOST_ROWS, _GROUPS_PER_TOKEN * wanted)
        self._rows = max(size // groups, 1)
        self._groups = min(groups, size)
        self._dealt = self._rows * self._groups
        self._maxima: Logits = np.empty(self._groups, np.float32)
        # To find the right groups their maxima must stay in place.
        self._ordered = self._maxima if size <= _SMALL else np.empty_like(self._maxima)
        self._reaching = np.empty(size, np.bool_)
        self._seen: Logits | None = None
        self._table: Logits = np.empty((0, 0), np.float32)

    def best(self, logits: Logits) -> Shortlisted:
        """The `wanted` likeliest tokens, all their equals, and a few more."""
        table = self._dealt_out(logits)
        np.maximum.reduce(table, axis=0, out=self._maxima)
        if self._ordered is not self._maxima:
            self._ordered[:] = self._maxima
        self._ordered.partition(self._groups - self._wanted)
        floor = self._ordered[self._groups - self._wanted]
        if logits.size <= _SMALL:
            np.greater_equal(logits, floor, out=self._reaching)
            return Shortlisted(self._reaching.nonzero()[0], float(floor))
        return Shortlisted(self._picked(logits, table, floor), float(floor))

    def _dealt_out(self, logits: Logits) -> Logits:
        """One column a group, by remainder: neighbours in a vocabulary are alike."""
        if logits is not self._seen:
            self._seen = logits
            self._table = logits[: self._dealt].reshape(self._rows, self._groups)
        return self._table

    def _picked(self, logits: Logits, table: Logits, floor: np.float32) -> TokenIds:
        groups = (self._maxima >= floor).nonzero()[0]
        rows, at = (table[:, groups] >= floor).nonzero()
        tokens: TokenIds = rows * self._groups + groups[at]
        if self._dealt == logits.size:
            return tokens
        rest = (logits[self._dealt :] >= floor).nonzero()[0] + self._dealt
        return np.concatenate((tokens, rest))
