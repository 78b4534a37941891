"""Width and height from the first bytes of a picture, without decoding it.

PNG: W3C "Portable Network Graphics", chunks IHDR and acTL. JPEG: ITU-T T.81, segments SOF0 to
SOF15. WebP: RFC 9649, chunks `VP8 `, `VP8L` and `VP8X`.
"""

from __future__ import annotations

import struct

from gemma_chat.media.faults import CUT, DAMAGED, MediaFault

_ANIMATED = "it is animated; attach one of its frames as a still picture"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG; refuses an animated one."""
    if data[12:16] != b"IHDR":
        raise MediaFault(DAMAGED)
    width, height = _unpack(">II", data, 16)
    at = 8
    while data[at + 4 : at + 8] not in (b"IDAT", b""):
        if data[at + 4 : at + 8] == b"acTL":
            raise MediaFault(_ANIMATED)
        (length,) = _unpack(">I", data, at)
        at += 12 + length
    return width, height


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, before any rotation its EXIF asks for."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise MediaFault(CUT)
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            height, width = _unpack(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker in (0x00, 0xD9, 0xDA):
            raise MediaFault(DAMAGED)
        else:
            (length,) = _unpack(">H", data, at + 2)
            at += 2 + max(2, length)


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP; refuses an animated one."""
    match data[12:16]:
        case b"VP8 ":
            width, height = _unpack("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = _unpack("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            (flags,) = _unpack("<B", data, 20)
            if flags & 0x02:
                raise MediaFault(_ANIMATED)
            sides = _unpack("<3B3B", data, 24)
            width, height = (a + (b << 8) + (c << 16) + 1 for a, b, c in (sides[:3], sides[3:]))
            return width, height
    raise MediaFault(DAMAGED if len(data) >= 16 else CUT)


def _unpack(layout: str, data: bytes, at: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, data, at)
    except struct.error:
        raise MediaFault(CUT) from None
