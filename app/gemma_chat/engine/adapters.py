"""LoRA adapters: each file is loaded once, shared by all sessions, and freed with the model."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemma_chat.engine.interface import LoraChoice
from gemma_chat.engine.library import native
from gemma_chat.errors import AdapterError
from gemma_chat.models.adapter_file import check_adapter_file, check_adapter_numbers
from gemma_chat.models.gguf_file import Tensor

_Identity = tuple[str, int, int, int, int]
"""A file at a path: another one put in its place is another adapter."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A loaded adapter at some strength.

    `key` names the content of its file and the strength: what was evaluated with one key is of no
    use with another.
    """

    key: str
    scale: float
    path: Path = field(compare=False)
    handle: Any = field(compare=False, repr=False)


class Adapters:
    """The adapters of one model.

    Args:
        model: the native model.
        architecture: what its file names.
        weights: its tensors by name.
    """

    def __init__(self, model: Any, architecture: str, weights: Mapping[str, Tensor]) -> None:
        self._model = model
        self._architecture = architecture
        self._weights = weights
        self._checked: set[_Identity] = set()
        self._fingerprints: dict[_Identity, str] = {}
        self._handles: dict[str, Any] = {}
        self._lock = threading.Lock()

    def check(self, choice: LoraChoice) -> None:
        """Raise `AdapterError` when the file cannot be applied to this model. From any thread."""
        with self._lock:
            self._check(Path(choice.path).expanduser())

    def get(self, choice: LoraChoice | None) -> Adapter | None:
        """The adapter, loaded when it is met for the first time; `None` is the model as it is.

        Engine thread only, for it changes the native model. Raises `AdapterError`.
        """
        if choice is None or choice.scale == 0:
            return None
        with self._lock:
            path = Path(choice.path).expanduser()
            identity = self._check(path)
            if identity not in self._fingerprints:
                self._fingerprints[identity] = _fingerprint(path)
            fingerprint = self._fingerprints[identity]
            if fingerprint not in self._handles:
                self._handles[fingerprint] = self._load(path)
            key = f"{fingerprint} {choice.scale!r}"
            return Adapter(key, choice.scale, path, self._handles[fingerprint])

    def _check(self, path: Path) -> _Identity:
        try:
            status = path.stat()
            identity = (
                str(path),
                status.st_dev,
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
            )
        except (OSError, ValueError):
            identity = (str(path), 0, 0, 0, 0)
        if identity not in self._checked:
            check_adapter_file(path, self._architecture, self._weights)
            self._checked.add(identity)
        return identity

    def _load(self, path: Path) -> Any:
        check_adapter_numbers(path)
        llama, log = native()
        with log.excerpt() as lines:
            handle = llama.llama_adapter_lora_init(self._model, os.fsencode(path))
        if not handle:
            said = next((line for line in lines if "fail" in line.lower()), "no reason was given")
            raise AdapterError(
                f"The LoRA adapter {path} cannot be loaded: llama.cpp says “{said}”. Choose an "
                "adapter made for this very model."
            )
        return handle


def _fingerprint(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AdapterError(
            f"The LoRA adapter {path} cannot be read ({error.strerror}). Check the disk."
        ) from None
