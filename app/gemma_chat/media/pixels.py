"""Decoding a picture with Pillow, an extra of this package."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemma_chat.errors import ModalityError
from gemma_chat.media.facts import facts_of

if TYPE_CHECKING:
    from PIL import Image

INSTALL = 'pip install "gemma-chat[media]"'


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded picture, three bytes a pixel: red, green, blue; row by row from the top."""

    width: int
    height: int
    rgb: bytes


def decode(data: bytes, name: str, *, most_sides: tuple[int, int] | None = None) -> Pixels:
    """The pixels of a PNG, JPEG or WebP, upright, on white where it is transparent.

    With `most_sides` it is scaled down to fit into that width and height.

    Raises `ModalityError` when it is not whole, too large, or Pillow is not installed.
    """
    facts_of(data, name)
    picture = _open(data, name)
    if most_sides is not None:
        picture.thumbnail(most_sides)
    return Pixels(picture.width, picture.height, picture.tobytes())


def _open(data: bytes, name: str) -> Image.Image:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ModalityError(
            f"{name} cannot be read: pictures need Pillow. Install it: {INSTALL}"
        ) from None
    try:
        with warnings.catch_warnings():
            # Its own limit is lower than ours, and only a warning; ours was checked already.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            stored = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
            picture = ImageOps.exif_transpose(stored)
            if not picture.has_transparency_data:
                return picture.convert("RGB")
            whole = picture.convert("RGBA")
            ground = Image.new("RGBA", whole.size, "white")
            return Image.alpha_composite(ground, whole).convert("RGB")
    except Exception as error:
        # Pillow's decoders raise nearly anything over a damaged file.
        raise ModalityError(
            f"{name} is damaged or cut short ({error}). Copy or download it again."
        ) from None
