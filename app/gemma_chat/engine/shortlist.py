"""The likeliest few of a whole vocabulary, in two cheap passes and without sorting it.

The vocabulary is dealt out to many groups. The k-th largest of the groups' maxima is a floor that
at least k logits reach; in practice few more do. Pure: knows nothing of llama.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
TokenIds = npt.NDArray[np.intp]

_GROUPS_PER_TOKEN = 4
_FEWEST_GROUPS = 512


@dataclass(frozen=True, slots=True)
class Shortlisted:
    """All tokens whose logit is at least `floor`, in ascending order."""

    tokens: TokenIds
    floor: float


class Shortlist:
    """Finds at least the `wanted` likeliest tokens among `size`; keeps its buffers.

    `wanted` may be at most `size`.
    """

    def __init__(self, size: int, wanted: int) -> None:
        self._wanted = wanted
        groups = max(_FEWEST_GROUPS, _GROUPS_PER_TOKEN * wanted)
        self._rows = max(size // groups, 1)
        self._groups = min(groups, size)
        self._maxima: Logits = np.empty(self._groups, np.float32)
        self._reach: npt.NDArray[np.bool_] = np.empty(size, np.bool_)

    def best(self, logits: Logits) -> Shortlisted:
        """The `wanted` likeliest tokens, all their equals, and a few more."""
        # Group by remainder: neighbours in a vocabulary are alike, and come to different groups.
        dealt = logits[: self._rows * self._groups].reshape(self._rows, self._groups)
        np.max(dealt, axis=0, out=self._maxima)
        self._maxima.partition(self._groups - self._wanted)
        floor = self._maxima[self._groups - self._wanted]
        np.greater_equal(logits, floor, out=self._reach)
        return Shortlisted(np.flatnonzero(self._reach), float(floor))
