"""What may be attached to a message, and how much of it."""

from __future__ import annotations

MOST_BYTES = 20 * 1024**2
"""Of one file."""
MOST_MESSAGE_BYTES = 24 * 1024**2
"""Of all files of one message: together they go over the socket in one frame."""
MOST_FILES = 8
"""With one message."""

FORMATS = "PNG, JPEG, WebP, WAV, MP3 or FLAC"


def size_text(size: int) -> str:
    """A number of bytes as it is shown."""
    if size < 1024:
        return f"{size} bytes"
    return f"{size / 1024:,.0f} kB" if size < 1024**2 else f"{size / 1024**2:,.1f} MB"
