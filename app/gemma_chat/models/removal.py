"""Removing a model from the program's own folder, with all that is of no use without it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from gemma_chat.errors import GemmaChatError, ModelLoadError
from gemma_chat.models.gguf_header import check_model_file, parts_of


def files_of(path: Path) -> tuple[Path, ...]:
    """A model with all its parts; what is damaged is one file."""
    try:
        return parts_of(path, check_model_file(path).parts)
    except GemmaChatError:
        return (path,)


def remove_model(path: Path, models: Path) -> None:
    """Remove the model at `path` below the folder `models`, with all its parts.

    The folder of its download goes too, when only projectors are left there. Raises
    `ModelLoadError`.
    """
    remove_files(files_of(path), models)


def remove_files(files: Sequence[Path], models: Path) -> None:
    """Remove the files of one model below the folder `models`; else as `remove_model`."""
    for one in files:
        try:
            one.unlink(missing_ok=True)
        except OSError as error:
            raise ModelLoadError(f"{one} cannot be removed ({error.strerror}).") from None
    _remove_left(files[0].parent, models)


def _remove_left(folder: Path, models: Path) -> None:
    if folder == models:
        return
    top = models / folder.relative_to(models).parts[0]
    left = [one for one in top.rglob("*") if not one.is_dir()]
    if "--" in top.name and all("mmproj" in one.name for one in left):
        shutil.rmtree(top, ignore_errors=True)
