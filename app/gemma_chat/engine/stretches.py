"""One image or recording, decoded and preprocessed by mtmd: what it is made of in a prompt."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from gemma_chat.engine.bitmaps import NAMES, bitmap_of
from gemma_chat.engine.embedding_cache import Embeddings
from gemma_chat.engine.interface import Media
from gemma_chat.engine.library import multimodal
from gemma_chat.errors import EngineCrashedError, ModalityError


class Stretches:
    """The stretches of one media: tokens of the vocabulary, and embeddings to be encoded.

    Raises `ModalityError` when the media cannot be decoded.

    Args:
        projector: mtmd's context.
        media: what to prepare.
    """

    def __init__(self, projector: Any, media: Media) -> None:
        self._mtmd = multimodal()
        self._projector = projector
        self.digest = media.digest
        self._chunks: Any = self._mtmd.mtmd_input_chunks_init()
        try:
            with bitmap_of(projector, media) as bitmap:
                self._prepare(bitmap, media)
        except BaseException:
            self.close()
            raise

    def _prepare(self, bitmap: Any, media: Media) -> None:
        part = self._mtmd.mtmd_input_part()
        part.bitmap = bitmap
        parts = (ctypes.POINTER(self._mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
        code = self._mtmd.mtmd_tokenize_from_parts(self._projector, self._chunks, parts, 1, False)
        if code != 0:
            raise ModalityError(
                f"{NAMES[media.kind]} cannot be prepared for this model (code {code}). Convert it "
                "to another format or size."
            )

    def close(self) -> None:
        """Free what was prepared; twice is fine."""
        if self._chunks:
            self._mtmd.mtmd_input_chunks_free(self._chunks)
            self._chunks = None

    def __len__(self) -> int:
        return int(self._mtmd.mtmd_input_chunks_size(self._chunks))

    def tokens(self, part: int) -> list[int] | None:
        """The tokens of a stretch of text; `None` for one of embeddings."""
        chunk = self._chunk(part)
        if self._mtmd.mtmd_input_chunk_get_type(chunk) != self._mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
            return None
        count = ctypes.c_size_t()
        tokens = self._mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
        return list(tokens[: count.value])

    def length(self, part: int) -> int:
        """How many positions a stretch of embeddings takes."""
        return int(self._mtmd.mtmd_input_chunk_get_n_tokens(self._chunk(part)))

    def whole(self, part: int) -> bool:
        """Whether the positions of a stretch look at each other."""
        return bool(self._mtmd.mtmd_decode_use_non_causal(self._projector, self._chunk(part)))

    def encode(self, part: int, width: int) -> Embeddings:
        """The embeddings of a stretch, each `width` numbers. Computes, on the engine thread."""
        code = self._mtmd.mtmd_encode_chunk(self._projector, self._chunk(part))
        output = self._mtmd.mtmd_get_output_embd(self._projector) if code == 0 else None
        if not output:
            raise EngineCrashedError(
                f"llama.cpp could not encode an image or recording (code {code}). The turn was "
                "given up; the conversation is kept."
            )
        return np.ctypeslib.as_array(output, (self.length(part), width)).astype(np.float32)

    def _chunk(self, part: int) -> Any:
        return self._mtmd.mtmd_input_chunks_get(self._chunks, part)
