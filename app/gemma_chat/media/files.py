"""Files on their way into a message: read whole, and few and small enough to go together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from gemma_chat.errors import ModalityError
from gemma_chat.media.limits import MOST_BYTES, MOST_FILES, MOST_MESSAGE_BYTES
from gemma_chat.quantities import byte_size


def read_media_file(path: Path) -> bytes:
    """All bytes of an image or a recording, whatever they are. Blocks.

    Raises `ModalityError` that names the file when there is none, or it is too large.
    """
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise ModalityError(f"{path} {reason}. Name an image or a recording.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise _too_large(str(path), byte_size(size))
        return path.read_bytes()
    except OSError as error:
        raise ModalityError(f"{path} cannot be read ({error.strerror}). Check it.") from None


def read_media_stream(stream: BinaryIO, name: str) -> bytes:
    """As `read_media_file`, of what is piped in and called `name` in messages."""
    content = stream.read(MOST_BYTES + 1)
    if not content:
        raise ModalityError(f"{name} is empty. Pipe in an image or a recording.")
    if len(content) > MOST_BYTES:
        raise _too_large(name, f"more than {byte_size(MOST_BYTES)}")
    return content


def _too_large(name: str, size: str) -> ModalityError:
    return ModalityError(
        f"{name} has {size}; at most {byte_size(MOST_BYTES)} are taken. Make it smaller first."
    )


def check_together(sizes: Sequence[int]) -> None:
    """Raise `ModalityError` when files of these sizes, in bytes, are too much for one message."""
    if len(sizes) > MOST_FILES:
        raise ModalityError(
            f"The message has {len(sizes)} attachments; at most {MOST_FILES} are taken. Send "
            "the rest with the next one."
        )
    total = sum(sizes)
    if total > MOST_MESSAGE_BYTES:
        raise ModalityError(
            f"The attachments have {byte_size(total)} together; one message takes at most "
            f"{byte_size(MOST_MESSAGE_BYTES)}. Send some with the next one."
        )
