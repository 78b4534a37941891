"""The head of a projector file: which media it turns into embeddings, and of which width.

llama.cpp's multimodal part ends the process over some files that are not what it expects, so a
projector is looked at here before it is loaded. Keys as llama.cpp's `clip.cpp` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.gguf_bytes import Scalar
from gemma_chat.models.gguf_file import FileKind, GgufLayout, must_be_whole, read_layout
from gemma_chat.terms import MediaKind

Metadata = dict[str, Scalar]

PROJECTOR = FileKind("projector", ModelLoadError)
"""How messages call the file of a projector."""

_SECTION: dict[MediaKind, str] = {"image": "vision", "audio": "audio"}
_WIDTH_OF_ENCODER = ("mlp", "ldp", "resampler", "adapter")
"""Projector types whose files give the width of the encoder here, not that of the model."""
_MOST = 1_000_000
"""Of a whole number in the head that llama.cpp multiplies with others."""


@dataclass(frozen=True, slots=True)
class ProjectorHeader:
    """What a projector file says of itself; `width` 0 is unknown, sizes are in bytes."""

    path: Path
    modalities: tuple[MediaKind, ...]
    width: int
    """The length of its embeddings, which must be that of the model's."""
    tensor_bytes: int


def check_projector_file(path: Path) -> ProjectorHeader:
    """Make sure that `path` is a whole projector file, and return what it says.

    Raises `ModelLoadError` with one sentence that names the file.
    """
    layout = read_layout(path, PROJECTOR)
    metadata = layout.metadata
    _check_kind(path, layout)
    must_be_whole(path, PROJECTOR, layout)
    modalities = tuple(kind for kind in _SECTION if _has_encoder(metadata, kind))
    widths = {_width(metadata, kind) for kind in modalities} - {0}
    if len(widths) > 1:
        raise ModelLoadError(
            f"{path} is damaged: its encoders give embeddings of different widths "
            f"({', '.join(map(str, sorted(widths)))}). Download it again."
        )
    return ProjectorHeader(path, modalities, max(widths, default=0), layout.tensor_bytes)


def _check_kind(path: Path, layout: GgufLayout) -> None:
    metadata = layout.metadata
    if metadata.get("general.architecture") != "clip":
        raise ModelLoadError(
            f"{path} is not a projector for images and audio; its architecture is "
            f"{metadata.get('general.architecture', 'not named')!r}. Name the model's mmproj file."
        )
    modalities = [kind for kind in _SECTION if _has_encoder(metadata, kind)]
    if not modalities or not layout.tensor_count:
        raise ModelLoadError(f"{path} holds no encoder for images or audio. Get another file.")
    for kind in modalities:
        _check_section(path, metadata, kind)


def _check_section(path: Path, metadata: Metadata, kind: MediaKind) -> None:
    """Refuse the numbers with which llama.cpp would divide by zero or ask for all memory."""
    section = f"clip.{_SECTION[kind]}"
    blocks = metadata.get(f"{section}.block_count")
    # Gemma's encoder-free projectors have no blocks, and so no heads.
    least = {"embedding_length": 1, "block_count": 0, "attention.head_count": 1 if blocks else 0}
    least |= {"image_size": 1, "patch_size": 1} if kind == "image" else {"num_mel_bins": 1}
    for name, smallest in least.items():
        value = metadata.get(f"{section}.{name}")
        if type(value) is not int or not smallest <= value <= _MOST:
            raise ModelLoadError(
                f"{path} is damaged: its key {section}.{name} is {value!r}, not a number from "
                f"{smallest} to {_MOST:,}. Download it again."
            )


def _has_encoder(metadata: Metadata, kind: MediaKind) -> bool:
    return metadata.get(f"clip.has_{_SECTION[kind]}_encoder") is True


def _width(metadata: Metadata, kind: MediaKind) -> int:
    section = f"clip.{_SECTION[kind]}"
    name = metadata.get("clip.projector_type") or metadata.get(f"{section}.projector_type") or ""
    width = metadata.get(f"{section}.projection_dim")
    if str(name).startswith(_WIDTH_OF_ENCODER) or not isinstance(width, int):
        return 0
    return max(0, width)
