"""Images and recordings decoded, as mtmd takes them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from gemma_chat.engine.interface import Media
from gemma_chat.engine.library import multimodal
from gemma_chat.errors import ModalityError
from gemma_chat.media.facts import facts_of
from gemma_chat.media.pixels import decode

NAMES = {"image": "The picture", "audio": "The recording"}


@contextmanager
def bitmap_of(projector: Any, media: Media) -> Iterator[Any]:
    """The pixels or samples of `media`, freed at the end of the block.

    Raises `ModalityError` when it cannot be decoded. `projector` is mtmd's context, which says how
    many samples a second it takes.
    """
    mtmd = multimodal()
    bitmap = _picture(media) if media.kind == "image" else _recording(projector, media)
    try:
        yield bitmap
    finally:
        mtmd.mtmd_bitmap_free(bitmap)


def _picture(media: Media) -> Any:
    pixels = decode(media.data, NAMES["image"])
    rgb = np.frombuffer(pixels.rgb, np.uint8)
    return multimodal().mtmd_bitmap_init(pixels.width, pixels.height, _address(rgb))


def _recording(projector: Any, media: Media) -> Any:
    facts_of(media.data, NAMES["audio"])
    mtmd = multimodal()
    data = np.frombuffer(media.data, np.uint8)
    made = mtmd.mtmd_helper_bitmap_init_from_buf_wrapper(
        projector, _address(data), data.size, False, mtmd.mtmd_helper_init_opt_default()
    )
    if not made.bitmap:
        raise ModalityError("The recording is damaged. Copy it again, or convert it to WAV.")
    return made.bitmap


def _address(data: npt.NDArray[np.uint8]) -> Any:
    return data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
