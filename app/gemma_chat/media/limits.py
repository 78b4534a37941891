"""What may be attached to a message, and how much of it."""

from __future__ import annotations

from gemma_chat.quantities import MB

MOST_BYTES = 20 * MB
"""Of one file."""
MOST_MESSAGE_BYTES = 24 * MB
"""Of all files of one message: together they go over the socket in one frame."""
MOST_FILES = 8
"""With one message."""

FORMATS = "PNG, JPEG, WebP, WAV, MP3 or FLAC"
