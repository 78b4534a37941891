"""What an image or a recording is, from the beginning of its file, and what is too much.

Nothing is decoded here: a picture that would fill all memory says so in its first bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from gemma_chat.errors import ModalityError
from gemma_chat.media.audio_header import flac_seconds, mp3_seconds, wav_seconds
from gemma_chat.media.faults import MediaFault
from gemma_chat.media.image_header import jpeg_size, png_size, webp_size
from gemma_chat.media.limits import FORMATS, MOST_BYTES
from gemma_chat.quantities import byte_size
from gemma_chat.terms import MediaKind

MOST_PIXELS = 50_000_000
MOST_SIDE = 16_384
MOST_SECONDS = 600.0

_IMAGES: dict[str, Callable[[bytes], tuple[int, int]]] = {
    "PNG": png_size,
    "JPEG": jpeg_size,
    "WebP": webp_size,
}
_RECORDINGS: dict[str, Callable[[bytes], float]] = {
    "WAV": wav_seconds,
    "MP3": mp3_seconds,
    "FLAC": flac_seconds,
}


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What a file is: width and height in pixels, or seconds; its size in bytes."""

    kind: MediaKind
    format: str
    bytes: int
    digest: str
    """The SHA-256 of the file, in hex."""
    width: int = 0
    height: int = 0
    seconds: float = 0.0

    @property
    def extent(self) -> str:
        """How large the picture or how long the recording is, as it is shown."""
        if self.kind == "image":
            return f"{self.width}×{self.height}"
        minutes, seconds = divmod(round(self.seconds), 60)
        return f"{minutes}:{seconds:02}"


def facts_of(data: bytes, name: str) -> MediaFacts:
    """What `data`, the bytes of the file `name`, is.

    Raises `ModalityError` with a sentence that names the file and what is wrong with it.
    """
    if not data:
        raise ModalityError(f"{name} is empty. Attach another file.")
    if len(data) > MOST_BYTES:
        raise ModalityError(
            f"{name} has {byte_size(len(data))}; at most {byte_size(MOST_BYTES)} are taken. "
            "Make it smaller first."
        )
    found = _format_of(data)
    if found is None:
        raise ModalityError(f"{name} is not a {FORMATS} file, whatever its name. Convert it first.")
    try:
        if found in _IMAGES:
            return _image_facts(data, name, found)
        return _recording_facts(data, name, found)
    except MediaFault as fault:
        raise ModalityError(f"{name} cannot be used: {fault}.") from None


def _format_of(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"fLaC"):
        return "FLAC"
    if data.startswith(b"RIFF"):
        return {b"WEBP": "WebP", b"WAVE": "WAV"}.get(data[8:12])
    if data.startswith(b"ID3") or (data[0] == 0xFF and data[1:2] and data[1] & 0xE0 == 0xE0):
        return "MP3"
    return None


def _image_facts(data: bytes, name: str, kind: str) -> MediaFacts:
    width, height = _IMAGES[kind](data)
    if not width or not height:
        raise MediaFault("it has no pixels; attach another picture")
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise ModalityError(
            f"{name} has {width:,}×{height:,} pixels; at most {MOST_PIXELS // 10**6} million, and "
            f"{MOST_SIDE:,} on a side, are taken. Scale it down first."
        )
    return MediaFacts("image", kind, len(data), digest_of(data), width=width, height=height)


def _recording_facts(data: bytes, name: str, kind: str) -> MediaFacts:
    seconds = _RECORDINGS[kind](data)
    if seconds <= 0:
        raise MediaFault("it holds no sound; attach another recording")
    if seconds > MOST_SECONDS:
        raise ModalityError(
            f"{name} lasts {seconds:,.0f} seconds; at most {MOST_SECONDS:,.0f} are taken. "
            "Cut it into parts."
        )
    return MediaFacts("audio", kind, len(data), digest_of(data), seconds=seconds)


def digest_of(data: bytes) -> str:
    """What names a file by its bytes."""
    return sha256(data).hexdigest()
