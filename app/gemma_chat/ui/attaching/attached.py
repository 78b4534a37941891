"""A file that will go with the message, and the ways in which a person names one."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from gemma_chat.errors import ModalityError
from gemma_chat.host.protocol import AttachmentView, Upload
from gemma_chat.quantities import byte_size

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".wav", ".mp3", ".flac"))
_LONGEST_PASTE = 8192
_MOST_SUGGESTIONS = 200


class Attached(msgspec.Struct, frozen=True):
    """A file that was read for the message."""

    name: str
    data: bytes
    kind: Literal["image", "audio"]
    words: str
    """Its format, extent and size, as they are shown."""

    @property
    def upload(self) -> Upload:
        """As it goes to the host."""
        return Upload(self.name, self.data)


def read_attached(path: Path) -> Attached:
    """Read a file to attach. Blocks; raises `ModalityError` with a sentence that names it."""
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise ModalityError(f"{path} cannot be read: {error}. Check it.") from None
    from gemma_chat.media.facts import facts_of
    from gemma_chat.media.files import read_media_file

    data = read_media_file(path)
    facts = facts_of(data, path.name)
    words = f"{facts.format} {facts.extent} {byte_size(facts.bytes)}"
    return Attached(path.name, data, facts.kind, words)


def words_of(view: AttachmentView) -> str:
    """The format, extent and size of a file that was sent, as they are shown."""
    if view.kind == "image":
        extent = f"{view.width}×{view.height}"
    else:
        minutes, seconds = divmod(round(view.seconds), 60)
        extent = f"{minutes}:{seconds:02}"
    return f"{view.format} {extent} {byte_size(view.size)}"


def dropped_paths(paste: str) -> tuple[Path, ...]:
    """The images and recordings a paste names, when it is nothing else than their paths.

    Terminals paste the path of a file that is dropped on them: plain, quoted, with escaped spaces,
    or as a file:// address; several on one line or on lines of their own.
    """
    text = paste.strip()
    if not text or len(text) > _LONGEST_PASTE or "\0" in text:
        return ()
    for names in (text.splitlines(), _shell_words(text)):
        paths = tuple(path for path in map(_path, names))
        if paths and all(_is_media(path) for path in paths):
            return tuple(path for path in paths if path is not None)
    return ()


def _shell_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _path(name: str) -> Path | None:
    name = name.strip()
    if len(name) >= 2 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1]
    if name.startswith("file://"):
        address = urlsplit(name)
        return Path(unquote(address.path)) if address.netloc in ("", "localhost") else None
    path = Path(name)
    return path if name.startswith(("/", "~")) else None


def _is_media(path: Path | None) -> bool:
    try:
        return path is not None and path.suffix.lower() in SUFFIXES and path.expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def paths_like(typed: str, suffixes: Collection[str] = SUFFIXES) -> list[str]:
    """Folders, and files with these endings (images and recordings), whose paths begin as typed.

    Folders end with a slash.
    """
    folder, _, beginning = typed.rpartition("/")
    shown = f"{folder}/" if folder or typed.startswith("/") else ""
    try:
        place = Path(shown or ".").expanduser()
        found = [
            f"{shown}{one.name}{'/' if one.is_dir() else ''}"
            for one in sorted(place.iterdir())
            if one.name.startswith(beginning) and one.name.isprintable()
            if beginning.startswith(".") or not one.name.startswith(".")
            if one.is_dir() or one.suffix.lower() in suffixes
        ]
    except (OSError, RuntimeError, ValueError):
        return []
    return found[:_MOST_SUGGESTIONS]
