"""Model files that other programs have put on this machine: found and read, never changed.

Three of them keep GGUF files where they can be found: the cache of the Hugging Face hub
(`models--OWNER--NAME/snapshots/COMMIT/FILE`, links to files named by their checksum), LM Studio
(`OWNER/NAME/FILE`) and Ollama, which keeps files named by their checksum and a manifest for every
name (its documentation, docs/faq.md and server/manifest.go, tells where).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from gemma_chat.config.paths import Paths
from gemma_chat.models.discovery import embedded_model, is_model_name, local_models
from gemma_chat.terms import ModelPlace

MOST_FILES: Final = 500
"""Of one place; more cannot be looked through in a list."""
_MOST_MANIFEST_BYTES: Final = 1 << 20
_OLLAMA_MODEL: Final = "application/vnd.ollama.image.model"


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model file: `source` is the repository or name it has where it was found, or empty."""

    path: Path
    name: str
    bytes: int
    place: ModelPlace
    source: str = ""


class _Layer(msgspec.Struct):
    media_type: str = msgspec.field(name="mediaType", default="")
    digest: str = ""


class _Manifest(msgspec.Struct):
    layers: tuple[_Layer, ...] = ()


def found_models(
    paths: Paths, environment: Mapping[str, str], home: Path
) -> tuple[FoundModel, ...]:
    """All model files on this machine, ours first; others' files come once, whoever names them."""
    found: list[FoundModel] = []
    seen: set[Path] = set()
    for model in _everywhere(paths, environment, home):
        real = _real(model.path)
        if model.place in ("own", "board") or real not in seen:
            found.append(model)
        seen.add(real)
    return tuple(found)


def named_models(paths: Iterable[str], found: Sequence[FoundModel]) -> Iterator[FoundModel]:
    """The files of these paths that are in none of the places where models are looked for."""
    there = {str(model.path) for model in found}
    for path in dict.fromkeys(paths):
        if path and path not in there:
            yield from _model(Path(path), "elsewhere", "", name=Path(path).stem)


def _everywhere(paths: Paths, environment: Mapping[str, str], home: Path) -> Iterator[FoundModel]:
    for own in local_models(paths):
        yield FoundModel(own.path, own.name, own.bytes, "own")
    embedded = embedded_model()
    if embedded is not None:
        yield from _model(embedded, "board", "")
    hub = _hub_cache(environment, home)
    places: tuple[tuple[Callable[[Path], Iterator[FoundModel]], Path], ...] = (
        (_in_hub_cache, hub),
        (_in_lm_studio, home / ".lmstudio" / "models"),
        (_in_lm_studio, home / ".cache" / "lm-studio" / "models"),
        (_in_ollama, Path(environment.get("OLLAMA_MODELS") or home / ".ollama" / "models")),
        (_in_ollama, Path("/usr/share/ollama/.ollama/models")),
    )
    for look, folder in places:
        yield from sorted(islice(look(folder), MOST_FILES), key=lambda one: one.name.casefold())


def _hub_cache(environment: Mapping[str, str], home: Path) -> Path:
    cache = environment.get("XDG_CACHE_HOME") or home / ".cache"
    hub_home = environment.get("HF_HOME") or Path(cache) / "huggingface"
    return Path(environment.get("HF_HUB_CACHE") or Path(hub_home) / "hub")


def _in_hub_cache(folder: Path) -> Iterator[FoundModel]:
    for path in _files(folder, "models--*/snapshots/*/*.gguf", "models--*/snapshots/*/*/*.gguf"):
        repository = path.relative_to(folder).parts[0].removeprefix("models--")
        yield from _model(path, "hub", repository.replace("--", "/", 1))


def _in_lm_studio(folder: Path) -> Iterator[FoundModel]:
    for path in _files(folder, "*/*/*.gguf"):
        yield from _model(path, "lmstudio", "/".join(path.relative_to(folder).parts[:2]))


def _in_ollama(folder: Path) -> Iterator[FoundModel]:
    for manifest in _files(folder / "manifests", "*/*/*/*"):
        digest = _model_digest(manifest)
        owner, model, tag = manifest.relative_to(folder / "manifests").parts[1:4]
        name = f"{model}:{tag}" if owner == "library" else f"{owner}/{model}:{tag}"
        path = folder / "blobs" / digest.replace(":", "-")
        if digest:
            yield from _model(path, "ollama", name, name=name)


def _model_digest(manifest: Path) -> str:
    """The checksum under which the weights of a name are kept; empty when it has none."""
    try:
        with manifest.open("rb") as file:
            told = msgspec.json.decode(file.read(_MOST_MANIFEST_BYTES), type=_Manifest)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    digests = (one.digest for one in told.layers if one.media_type == _OLLAMA_MODEL)
    digest = next(digests, "")
    kind, _, value = digest.partition(":")
    # It becomes part of a path: a checksum and nothing else.
    return digest if kind == "sha256" and value.isalnum() and value.isascii() else ""


def _files(folder: Path, *patterns: str) -> Iterator[Path]:
    """What fits the patterns; a folder that is missing or cannot be read has nothing."""
    try:
        for pattern in patterns:
            yield from folder.glob(pattern)
    except OSError:
        return


def _model(path: Path, place: ModelPlace, source: str, *, name: str = "") -> Iterator[FoundModel]:
    if not name and not is_model_name(path.name):
        return
    try:
        size = path.stat().st_size
        if path.is_file() and os.access(path, os.R_OK):
            yield FoundModel(path, name or path.stem, size, place, source)
    except OSError:
        return


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
