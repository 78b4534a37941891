"""Paths that a person typed for conversations to be written to, and the writing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.transcript import Transcript
from gemma_chat.exchange.writing import (
    ENDING_OF,
    ENDINGS,
    FORMATS,
    Format,
    file_name,
    format_of,
    rendered,
    write_new_file,
)
from gemma_chat.ui.text import NAME_CELLS, one_line


def typed_path(typed: str) -> Path:
    """The whole path that a person typed, `~` replaced; raises `ExchangeError`."""
    if "\0" in typed:
        raise ExchangeError("A path holds no zero character. Type another one.")
    try:
        return Path(typed.strip()).expanduser().absolute()
    except RuntimeError:
        name = one_line(typed.strip().partition("/")[0], NAME_CELLS)
        raise ExchangeError(f"There is no user {name} here. Type the whole path.") from None
    except FileNotFoundError:
        raise ExchangeError(
            "The folder in which this terminal was started is gone. Type the whole path."
        ) from None


def here() -> Path:
    """The folder in which the terminal was started; the home folder when that one is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path.home()


def target_of(wish: str, form: Format, title: str, session: int) -> tuple[Path, Format]:
    """The file that is meant by a format, a name or a folder, or both; and the format.

    `form` is that of a file in a folder. Raises `ExchangeError`.
    """
    first, _, rest = wish.strip().partition(" ")
    named = next((each for each in FORMATS if each == first.lower()), None)
    path = typed_path(wish if named is None else with_ending(rest or ".", named))
    if _is_folder(path):
        form = named or form
        return path / file_name(title, session, form), form
    return path, named or format_of(path)


def with_ending(typed: str, form: Format) -> str:
    """A typed path that does not say its format, with the ending of `form`.

    A folder, and what no file can be named by, stay as they are.
    """
    try:
        path = typed_path(typed)
    except ExchangeError:
        return typed
    if _is_folder(path) or not path.name or path.suffix.lower() in ENDINGS:
        return typed
    return typed.strip() + ENDING_OF[form]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # A name that is too long, for instance: writing to it says so.
        return False


def existing(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Those behind which something stands already."""
    return tuple(path for path in paths if os.path.lexists(path))


def write(transcript: Transcript, path: Path, form: Format, *, replace: bool) -> None:
    """Write a conversation; raises `ExchangeError`."""
    write_new_file(path, rendered(transcript, form), replace=replace)


def make_folder(folder: Path) -> None:
    """Let there be this folder; raises `ExchangeError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExchangeError(
            f"{folder} cannot be a folder ({error.strerror}). Name a place that is writable for "
            "you."
        ) from None


def short(path: Path) -> str:
    """The path as a person writes it, the home folder as `~`."""
    try:
        below = path.relative_to(Path.home())
    except (ValueError, RuntimeError):
        return str(path)
    return str("~" / below)
