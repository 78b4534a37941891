"""The projector: images and recordings as embeddings of the model's own width, through mtmd.

What mtmd makes of one image or recording is a row of *stretches*: tokens of the vocabulary that
open and close it, and embeddings between. How many there are is known after preprocessing alone;
encoding, the expensive part, waits until a turn evaluates the stretch, and is not done again while
its embeddings are in the cache.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import shake_256
from typing import Any, Literal

import numpy as np

from gemma_chat.engine.bitmaps import NAMES
from gemma_chat.engine.embedding_cache import EmbeddingCache, Embeddings
from gemma_chat.engine.interface import Media, MediaPiece
from gemma_chat.engine.library import multimodal, native
from gemma_chat.engine.stretches import Stretches
from gemma_chat.errors import ModalityError, ModelLoadError
from gemma_chat.media.facts import digest_of
from gemma_chat.media.samples import dot, silence
from gemma_chat.models.projector_file import ProjectorHeader

MEDIA_BATCH = 512
"""Positions that may look at each other: so many are evaluated at once."""

_CACHE_BYTES = 64 * 1024**2
_MOST_LAYOUTS = 1024


@dataclass(frozen=True, slots=True)
class _Stand:
    """The place of a stretch of embeddings; see `MediaPiece`."""

    part: int
    length: int
    whole: bool


_Layout = tuple[int | _Stand, ...]


class Projector:
    """A loaded projector file.

    `pieces` may be called from any thread, `embeddings` on the engine thread only.

    Raises `ModelLoadError` when the file does not fit the model.

    Args:
        header: the file, checked.
        model: the native model it is for.
        width: the length of the model's embeddings.
        threads: how many threads encode.
        use_gpu: whether it is put on a GPU.
    """

    def __init__(
        self, header: ProjectorHeader, model: Any, *, width: int, threads: int, use_gpu: bool
    ) -> None:
        if header.width not in (0, width):
            raise ModelLoadError(_mismatch(header, width))
        self._mtmd = multimodal()
        self._width = width
        self.path = header.path
        self._handle = self._load(header, model, threads, use_gpu=use_gpu)
        self.modalities = self._modalities()
        self._cache = EmbeddingCache(_CACHE_BYTES)
        self._layouts: OrderedDict[str, _Layout] = OrderedDict()
        self._preparing = threading.Lock()
        self._opened: Stretches | None = None
        """What was encoded last: the stretches of one media follow each other."""

    def _load(self, header: ProjectorHeader, model: Any, threads: int, *, use_gpu: bool) -> Any:
        _, log = native()
        parameters = self._mtmd.mtmd_context_params_default()
        parameters.use_gpu = use_gpu
        parameters.print_timings = False
        parameters.n_threads = threads
        parameters.warmup = False
        parameters.image_max_tokens = MEDIA_BATCH
        with log.excerpt() as lines:
            handle = self._mtmd.mtmd_init_from_file(os.fsencode(header.path), model, parameters)
        if not handle:
            if any("mismatch between text model" in line for line in lines):
                raise ModelLoadError(_mismatch(header, self._width))
            raise ModelLoadError(_reason(header, lines))
        if self._mtmd.mtmd_decode_use_mrope(handle):
            self._mtmd.mtmd_free(handle)
            raise ModelLoadError(
                f"The projector {header.path} is for a model that gives the parts of an image "
                "positions in two dimensions (M-RoPE), which is not supported. Load the model "
                "without a projector."
            )
        return handle

    def _modalities(self) -> tuple[Literal["image", "audio"], ...]:
        vision = ("image",) if self._mtmd.mtmd_support_vision(self._handle) else ()
        audio = ("audio",) if self._mtmd.mtmd_support_audio(self._handle) else ()
        return (*vision, *audio)

    def close(self) -> None:
        """Free the projector; twice is fine."""
        if self._handle:
            self._open(None)
            self._mtmd.mtmd_free(self._handle)
            self._handle = None

    def rehearse(self) -> None:
        """Encode a small sample of each kind of media, to see whether that survives."""
        for kind in self.modalities:
            data = dot() if kind == "image" else silence()
            for piece in self.pieces(Media(kind, data, digest_of(data))):
                if isinstance(piece, MediaPiece):
                    self.embeddings(piece)

    # ------------------------------------------------------------ any thread

    def pieces(self, media: Media) -> tuple[int | MediaPiece, ...]:
        """What stands in a prompt for `media`: tokens that open and close it, and embeddings.

        Raises `ModalityError` when the projector does not take this kind of media, or when it
        cannot be decoded.
        """
        if media.kind not in self.modalities:
            raise ModalityError(
                f"{NAMES[media.kind]} cannot be taken: the projector {self.path.name} is not for "
                f"{'audio' if media.kind == 'audio' else 'images'}. Load the model with another."
            )
        return tuple(
            part
            if isinstance(part, int)
            else MediaPiece(media, part.part, stand_ins(media.digest, part), part.whole)
            for part in self._layout(media)
        )

    def _layout(self, media: Media) -> _Layout:
        with self._preparing:
            known = self._layouts.get(media.digest)
            if known is None:
                known = self._layouts[media.digest] = self._prepare(media)
                if len(self._layouts) > _MOST_LAYOUTS:
                    self._layouts.popitem(last=False)
            return known

    def _prepare(self, media: Media) -> _Layout:
        found: list[int | _Stand] = []
        stretches = Stretches(self._handle, media)
        try:
            for part in range(len(stretches)):
                tokens = stretches.tokens(part)
                if tokens is not None:
                    found += tokens
                else:
                    found.append(_Stand(part, stretches.length(part), stretches.whole(part)))
        finally:
            stretches.close()
        for stand in found:
            if isinstance(stand, _Stand) and stand.whole and stand.length > MEDIA_BATCH:
                raise ModalityError(
                    f"{NAMES[media.kind]} takes {stand.length} tokens in one go; at most "
                    f"{MEDIA_BATCH} can be evaluated. Scale it down."
                )
        return tuple(found)

    # ------------------------------------------------------------ engine thread

    def embeddings(self, piece: MediaPiece) -> Embeddings:
        """The embeddings of a piece, one row for each of its tokens; encoded unless cached."""
        key = (piece.media.digest, piece.part)
        found = self._cache.get(key)
        if found is None:
            found = self._stretches_of(piece.media).encode(piece.part, self._width)
            self._cache.put(key, found)
        return found

    def _stretches_of(self, media: Media) -> Stretches:
        if self._opened is None or self._opened.digest != media.digest:
            self._open(Stretches(self._handle, media))
        assert self._opened is not None
        return self._opened

    def _open(self, stretches: Stretches | None) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = stretches


def stand_ins(digest: str, stand: _Stand) -> tuple[int, ...]:
    """The numbers that stand for a stretch among the tokens of a session.

    31 bits of each come from the digest, the stretch and the place in it, the sign from nobody: so
    they are no tokens of any vocabulary, and differ from those of any other image.
    """
    source = shake_256(f"{digest} {stand.part} {stand.length}".encode())
    numbers = np.frombuffer(source.digest(4 * stand.length), np.int32)
    return tuple((numbers | np.int32(-(2**31))).tolist())


def _mismatch(header: ProjectorHeader, width: int) -> str:
    its = f"gives embeddings of {header.width} numbers" if header.width else "is for another one"
    return (
        f"The projector {header.path} does not fit the model, whose embeddings have {width} "
        f"numbers: it {its}. Name the mmproj file that came with the model."
    )


def _reason(header: ProjectorHeader, lines: list[str]) -> str:
    """A sentence out of mtmd's log."""
    failed = (line.partition("failed to load model")[2] for line in lines)
    said = next((line.partition("': ")[2] for line in failed if line), "no reason was given")
    return (
        f"The projector {header.path} cannot be loaded: llama.cpp says “{said}”. Download it "
        "again, or get the one that came with the model."
    )
