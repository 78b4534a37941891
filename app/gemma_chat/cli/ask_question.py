"""The question of `gemma-chat ask`: the words given, files, and what is piped in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

import click

from gemma_chat.errors import GemmaChatError
from gemma_chat.quantities import MB, byte_size

if TYPE_CHECKING:
    from gemma_chat.host.protocol import Upload

MAX_TEXT_BYTES: Final = 8 * MB
"""Of a file or of what is piped in: more than any context holds."""
_STDIN: Final = Path("-")
_PIPED: Final = "What is piped in"


class AttachmentError(GemmaChatError):
    """A file cannot be put before a question."""


def question_from(
    words: Iterable[str], files: Iterable[Path], stdin: TextIO, *, beside: bool = False
) -> str:
    """What to ask; raises `AttachmentError`, and `click.UsageError` when there is nothing.

    The file `-` is what is piped in. With something `beside` it, as an image, there need be
    nothing.
    """
    parts = [_file(path, stdin) for path in files]
    piped = _piped(stdin)
    if piped:
        parts.append(piped)
    asked = " ".join(words).strip()
    if asked:
        parts.append(asked)
    if not parts and not beside:
        raise click.UsageError("Say what to ask, or pipe it in.")
    return "\n\n".join(parts)


def uploads_from(paths: Sequence[Path], stdin: TextIO) -> tuple[Upload, ...]:
    """Images and recordings to send along, `-` what is piped in; raises `ModalityError`."""
    if not paths:
        return ()
    from gemma_chat.host.protocol import Upload
    from gemma_chat.media.files import check_together, read_media_file, read_media_stream

    uploads = tuple(
        Upload("stdin", read_media_stream(stdin.buffer, _PIPED))
        if path == _STDIN
        else Upload(path.name, read_media_file(path))
        for path in paths
    )
    check_together([len(upload.data) for upload in uploads])
    return uploads


def _file(path: Path, stdin: TextIO) -> str:
    if path == _STDIN:
        return _fenced("stdin", _text(stdin.buffer, _PIPED))
    try:
        with path.open("rb") as file:
            return _fenced(path.name, _text(file, str(path)))
    except OSError as error:
        raise AttachmentError(f"The file {path} cannot be read ({error.strerror}).") from None


def _fenced(name: str, text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{name}:\n{fence}\n{text.rstrip()}\n{fence}"


def _piped(stdin: TextIO) -> str:
    """What is piped in; nothing when stdin is a terminal, closed, or nobody's."""
    try:
        status = os.fstat(stdin.fileno())
    except (OSError, ValueError):
        return ""
    if stdin.isatty() or stat.S_ISCHR(status.st_mode):
        return ""
    return _text(stdin.buffer, _PIPED).strip()


def _text(source: BinaryIO, name: str) -> str:
    content = source.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise AttachmentError(
            f"{name} has more than {byte_size(MAX_TEXT_BYTES)}; that is more than any context "
            "holds. Give a part of it."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise AttachmentError(f"{name} is not text (UTF-8). Give a text file.") from None
