"""The smallest whole files of each kind, made in memory: for trying out what takes media."""

from __future__ import annotations

import io
import struct
import wave
import zlib


def dot() -> bytes:
    """A grey PNG of 8 by 8 pixels."""
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * 8) * 8)
    chunks = ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def silence() -> bytes:
    """A tenth of a second of nothing, as WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(8000)
        target.writeframes(bytes(1600))
    return file.getvalue()
