"""Writing conversations to a file in the format that is asked for."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final, Literal, get_args

from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.transcript import Transcript

Format = Literal["markdown", "json", "html", "svg"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
ENDINGS: Final[dict[str, Format]] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
}
"""Which format a file's name stands for."""
ENDING_OF: Final[dict[Format, str]] = {
    "markdown": ".md",
    "json": ".json",
    "html": ".html",
    "svg": ".svg",
}
"""How the name of a file in a format ends."""
_NAME_CHARACTERS: Final = 60
"""Of four bytes at most, so that a name stays below the 255 bytes of file systems."""


def rendered(transcript: Transcript, form: Format) -> str:
    """The conversation in a format; raises `ExchangeError` when it does not fit into it."""
    match form:
        case "markdown":
            from gemma_chat.exchange.markdown import write_markdown

            return write_markdown(transcript)
        case "json":
            from gemma_chat.exchange.own_json import write_json

            return write_json([transcript])
        case "html":
            from gemma_chat.exchange.html import write_html

            return write_html(transcript)
        case "svg":
            from gemma_chat.exchange.svg import write_svg

            return write_svg(transcript)


def format_of(path: Path) -> Format:
    """The format a file's name stands for; raises `ExchangeError`."""
    form = ENDINGS.get(path.suffix.lower())
    if form is None:
        raise ExchangeError(
            f"The name {path.name} does not say in which format to export. Let it end with "
            f"{', '.join(ENDINGS)}, or name a format: {', '.join(FORMATS)}."
        )
    return form


def file_name(title: str, session: int, form: Format) -> str:
    """A name for the file of a conversation, made of its number and title; always a plain one."""
    words = "".join(letter if letter.isalnum() else " " for letter in title).split()
    return "-".join([str(session), *words])[:_NAME_CHARACTERS] + ENDING_OF[form]


def write_new_file(path: Path, text: str, *, replace: bool = False) -> None:
    """Write `text` to `path`, private to its owner (0600), all of it or nothing.

    Raises `ExchangeError`, also when the file exists and is not to be replaced.
    """
    if not replace and os.path.lexists(path):
        raise ExchangeError(
            f"There is a file {path} already; it was left as it is. Give another name."
        )
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ExchangeError(
            f"The file {path} cannot be written ({error.strerror}). Name a place that is writable "
            "for you."
        ) from None
