"""Encoded media, kept for a while: encoding an image takes seconds, its embeddings a megabyte."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.float32]
"""One row for each token."""

Key = tuple[str, int]
"""The digest of the media, and which of its stretches."""


class EmbeddingCache:
    """The embeddings used last, up to `budget` bytes; one that alone is larger is not kept."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: OrderedDict[Key, Embeddings] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """What is kept now."""
        return self._bytes

    def get(self, key: Key) -> Embeddings | None:
        """What was put under `key`, if it is still here."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Key, embeddings: Embeddings) -> None:
        """Keep `embeddings`, and drop the longest unused ones for it."""
        if embeddings.nbytes > self._budget or key in self._kept:
            return
        self._kept[key] = embeddings
        self._bytes += embeddings.nbytes
        while self._bytes > self._budget:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes
