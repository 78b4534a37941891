"""A llama.cpp batch of embeddings instead of tokens."""

from __future__ import annotations

import ctypes
from typing import Any

from gemma_chat.engine.embedding_cache import Embeddings
from gemma_chat.engine.library import native


class MediaBatch:
    """Room for `size` embeddings of `width` numbers; filled anew for each evaluation."""

    def __init__(self, size: int, width: int) -> None:
        self._llama, _ = native()
        self._width = width
        self._batch = self._llama.llama_batch_init(size, width, 1)

    def close(self) -> None:
        """Free it; once."""
        self._llama.llama_batch_free(self._batch)

    def filled(self, embeddings: Embeddings, stream: int, position: int) -> Any:
        """The batch with `embeddings` at `position` and behind; none of them gives logits."""
        batch = self._batch
        count = len(embeddings)
        assert embeddings.dtype.name == "float32"
        assert embeddings.shape == (count, self._width)
        assert embeddings.flags.c_contiguous
        ctypes.memmove(batch.embd, embeddings.ctypes.data, embeddings.nbytes)
        batch.n_tokens = count
        for at in range(count):
            batch.pos[at] = position + at
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = stream
            batch.logits[at] = 0
        return batch
