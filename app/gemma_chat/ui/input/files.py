"""Text files for a message: their names completed, their text read, everything else refused."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from gemma_chat.errors import GemmaChatError
from gemma_chat.quantities import MB, byte_size

MAX_FILE_BYTES = 1 * MB
MOST_NAMES = 200
"""Names looked at for one completion: a folder of a million files must not stop the typing."""
_LOOKED_AT = 20_000

_LANGUAGES = {
    ".py": "python", ".js": "javascript", ".ts": "typescript", ".rs": "rust", ".go": "go",
    ".c": "c", ".h": "c", ".cpp": "cpp", ".hpp": "cpp", ".java": "java", ".rb": "ruby",
    ".sh": "sh", ".toml": "toml", ".json": "json", ".yaml": "yaml", ".yml": "yaml",
    ".html": "html", ".css": "css", ".sql": "sql", ".md": "markdown", ".xml": "xml",
}  # fmt: skip
FRAME_LINES = 4
"""Lines of a block that are not the file's."""
_BLOCK = re.compile(r"File `([^`\n]{1,255})`:\n\n```")
_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


class FileRefusedError(GemmaChatError):
    """A file that cannot be put into a message."""


def file_text(path: Path) -> str:
    """The text of a file, or `FileRefusedError`: missing, a folder, too large, not text."""
    shown = _shown(path)
    try:
        # A pipe without a writer would otherwise be waited for without end.
        descriptor = os.open(path.expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            kind = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(kind):
                what = "a folder" if stat.S_ISDIR(kind) else "a device or a pipe"
                raise FileRefusedError(f"{shown} is {what}. Name a text file.")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise FileRefusedError(f"There is no file {shown}.") from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileRefusedError(f"{shown} cannot be read ({reason}).") from None
    if len(content) > MAX_FILE_BYTES:
        raise FileRefusedError(
            f"{shown} is larger than {byte_size(MAX_FILE_BYTES)}, the most a message takes from "
            "one file. Insert a part of it."
        )
    if b"\0" in content:
        raise FileRefusedError(f"{shown} is not a text file. Only text can be inserted.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefusedError(
            f"{shown} is not UTF-8 text (line {line}). Convert it, for example with iconv."
        ) from None


def as_block(path: Path, text: str) -> str:
    """A file's text as it stands in a message: its name, and a fence that it cannot close."""
    longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    language = _LANGUAGES.get(path.suffix.lower(), "")
    name = "".join(c if c.isprintable() and c != "`" else "?" for c in path.name)
    body = text if text.endswith("\n") else text + "\n"
    return f"File `{name}`:\n\n{fence}{language}\n{body}{fence}"


def name_of_block(text: str) -> str:
    """The name of the file when `text` is one as `as_block` writes it, else empty."""
    found = _BLOCK.match(text)
    return found.group(1) if found else ""


def paths_like(typed: str) -> list[str]:
    """The paths that begin as typed, folders with a slash at the end; at most `MOST_NAMES`.

    Names that begin with a dot come only where the dot was typed. What cannot be read is nothing.
    """
    folder, _, beginning = typed.rpartition("/")
    before = f"{folder}/" if "/" in typed else ""
    try:
        place = Path(before or ".").expanduser()
        found = sorted(_names(place, beginning), key=str.lower)
    except (OSError, RuntimeError, ValueError):
        return []
    return [before + name for name in found[:MOST_NAMES]]


def _names(place: Path, beginning: str) -> Iterator[str]:
    wanted = beginning.lower()
    with os.scandir(place) as entries:
        for number, entry in enumerate(entries):
            if number >= _LOOKED_AT:
                return
            name = entry.name
            if not name.lower().startswith(wanted) or not name.isprintable():
                continue
            if name.startswith(".") and not beginning.startswith("."):
                continue
            yield f"{name}/" if entry.is_dir() else name


def _shown(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 200 else f"…{text[-200:]}"
