"""Reading below one folder, and nowhere else.

A path is walked one name at a time from a descriptor of the folder, and no link is followed
(`O_NOFOLLOW` on each), so neither `..` nor a link that appears in between leads out of it. The
check is the opening itself: there is no moment between the two.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from gemma_chat.errors import ToolError, visible
from gemma_chat.quantities import MB, byte_size
from gemma_chat.tools.functions import function_tool
from gemma_chat.tools.tool import MAX_RESULT_CHARACTERS, Tool

MAX_FILE_BYTES: Final = 4 * MB
MAX_ENTRIES: Final = 400
MAX_PATH_CHARACTERS: Final = 4_000
_NOTE_CHARACTERS: Final = 200


def file_tools(folder: Path) -> tuple[Tool, Tool]:
    """The tools `read_file` and `list_files`, both below `folder`.

    The folder is opened anew by each call. A link to it is followed, one below it never is.
    """

    def read_file(
        path: Annotated[str, "Path of the file below the folder, for example notes/plan.md"],
        first_line: Annotated[int, "The line to begin with, from 1"] = 1,
    ) -> str:
        """Read a text file below the folder that is shared with you.

        A long file is given in parts: the end of each says with which line to go on.
        """
        return _lines_from(_text_of(folder, path), max(1, first_line))

    def list_files(
        path: Annotated[str, "Path of a folder below the shared one; empty for that itself"] = "",
    ) -> str:
        """List the files and folders in a folder that is shared with you."""
        with _opened(folder, path, os.O_DIRECTORY) as descriptor:
            return _listing(descriptor)

    return function_tool(read_file), function_tool(list_files)


@contextlib.contextmanager
def _opened(folder: Path, path: str, flags: int = 0) -> Iterator[int]:
    """A descriptor of what stands at `path` below `folder`; raises `ToolError`."""
    names = _names(path)
    flags |= os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError):
        raise ToolError(
            f"The shared folder {folder} cannot be opened. Choose another one in the settings of "
            "the tab."
        ) from None
    try:
        for place, name in enumerate(names, 1):
            kind = flags if place == len(names) else os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            inner = os.open(name, kind | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    except OSError as error:
        raise ToolError(
            f"{path!r} cannot be opened below the shared folder: {_why(error)}. list_files tells "
            "what there is."
        ) from None
    finally:
        os.close(descriptor)


def _names(path: str) -> list[str]:
    if len(path) > MAX_PATH_CHARACTERS or "\0" in path:
        raise ToolError("That is not the path of a file.")
    if path.startswith(("/", "~")):
        raise ToolError(
            f"{path!r} is not below the shared folder: give a path that begins there, without / "
            "or ~ in front."
        )
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise ToolError(f"{path!r} leads out of the shared folder; .. is not allowed in a path.")
    return names


def _why(error: OSError) -> str:
    # ELOOP is what O_NOFOLLOW says of a link; with O_DIRECTORY, Linux says ENOTDIR instead.
    if error.errno == errno.ELOOP:
        return "it is a link, and links are not followed"
    return error.strerror or "it failed"


def _text_of(folder: Path, path: str) -> str:
    with _opened(folder, path) as descriptor:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise ToolError(f"{path!r} is a folder; list_files tells what is in it.")
        if not stat.S_ISREG(status.st_mode):
            raise ToolError(f"{path!r} is a device or a pipe, not a file.")
        content = _read(descriptor)
    if len(content) > MAX_FILE_BYTES:
        raise ToolError(
            f"{path!r} has {byte_size(status.st_size)}; "
            f"at most {byte_size(MAX_FILE_BYTES)} can be read."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ToolError(f"{path!r} is not a text file.")
    return text


def _read(descriptor: int) -> bytes:
    parts: list[bytes] = []
    left = MAX_FILE_BYTES + 1
    while left and (part := os.read(descriptor, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _lines_from(text: str, first: int) -> str:
    """The lines from number `first`, as many as fit, with a note of where to go on."""
    lines = text.splitlines(keepends=True)
    if first > max(1, len(lines)):
        raise ToolError(f"The file has {len(lines):,} lines; there is no line {first}.")
    room = MAX_RESULT_CHARACTERS - _NOTE_CHARACTERS
    taken = 0
    for number, line in enumerate(lines[first - 1 :], first):
        if taken + len(line) > room:
            if number == first:
                return f"{line[:room]}\n[line {number} of {len(lines)} is cut off here]"
            shown = "".join(lines[first - 1 : number - 1])
            return f"{shown}[{len(lines)} lines altogether; go on with first_line={number}]"
        taken += len(line)
    return "".join(lines[first - 1 :]) or "[the file is empty]"


def _listing(descriptor: int) -> str:
    lines = []
    with os.scandir(descriptor) as entries:
        for count, entry in enumerate(entries):
            if count == MAX_ENTRIES:
                lines.append("[there are more]")
                break
            lines.append(_entry_line(entry))
    return "\n".join(sorted(lines)) or "[the folder is empty]"


def _entry_line(entry: os.DirEntry[str]) -> str:
    name = visible(entry.name).replace("\n", "\\n")
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return name
    if stat.S_ISDIR(status.st_mode):
        return f"{name}/"
    if stat.S_ISLNK(status.st_mode):
        return f"{name} (a link, not followed)"
    return f"{name} ({status.st_size:,} bytes)"
