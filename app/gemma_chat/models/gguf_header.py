"""The head of a model file: what the model is, and whether the file is whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.gguf_file import FileKind, GgufLayout, Tensor, must_be_whole, read_layout
from gemma_chat.models.tensor_types import FILE_TYPES

MODEL = FileKind("model file", ModelLoadError)
"""How messages call the file of a model."""

MAX_PARTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says of itself; sizes in bytes, the context in tokens."""

    path: Path
    version: int
    architecture: str
    name: str
    size_label: str
    """Such as "1B", or an empty string."""
    quantisation: str
    """Such as "Q4_K_M", or an empty string."""
    context_length: int
    """What the model was trained with; 0 when the file does not say."""
    has_chat_template: bool
    parameters: int
    tensor_count: int
    tensor_bytes: int
    """From the beginning of the first tensor to the end of the last."""
    file_bytes: int
    tensors: Mapping[str, Tensor] = field(default_factory=dict, repr=False, compare=False)
    """The tensors of this file by name."""
    parts: int = 1
    """How many files the model is in."""


def check_model_file(path: Path) -> GgufHeader:
    """Make sure that `path` is a whole GGUF file of a chat model, and return what it says.

    Raises `ModelLoadError` with one sentence on what is wrong with the file.
    """
    layout = read_layout(path, MODEL)
    _check_kind(path, layout)
    must_be_whole(path, MODEL, layout)
    architecture = layout.text("general.architecture")
    return GgufHeader(
        path=path,
        version=layout.version,
        architecture=architecture,
        name=layout.text("general.name"),
        size_label=layout.text("general.size_label"),
        quantisation=FILE_TYPES.get(layout.whole("general.file_type", -1), ""),
        context_length=max(0, layout.whole(f"{architecture}.context_length", 0)),
        has_chat_template=bool(layout.text("tokenizer.chat_template")),
        parameters=sum(tensor.elements for tensor in layout.tensors.values()),
        tensor_count=layout.tensor_count,
        tensor_bytes=layout.tensor_bytes,
        file_bytes=layout.file_bytes,
        tensors=layout.tensors,
        parts=max(1, layout.whole("split.count", 1)),
    )


def parts_of(path: Path, count: int) -> tuple[Path, ...]:
    """The files of a model of which `path` is the first of `count`."""
    ending = f"-{1:05d}-of-{count:05d}.gguf"
    if count == 1 or not path.name.endswith(ending):
        return (path,)
    stem = path.name.removesuffix(ending)
    return tuple(
        path.with_name(f"{stem}-{number:05d}-of-{count:05d}.gguf")
        for number in range(1, min(count, MAX_PARTS) + 1)
    )


def _check_kind(path: Path, layout: GgufLayout) -> None:
    """Refuse GGUF files that are whole but hold no chat model."""
    architecture = layout.text("general.architecture")
    kind = layout.text("general.type")
    part = layout.whole("split.no", 0)
    if kind == "adapter":
        raise ModelLoadError(f"{path} is a LoRA adapter, not a model. Name the model it is for.")
    if kind == "mmproj" or architecture == "clip":
        raise ModelLoadError(
            f"{path} is the projector for images and audio of a model. Name the model itself."
        )
    if part > 0:
        raise ModelLoadError(
            f"{path} is part {part + 1} of a model in several files. Name the first part."
        )
    if not architecture:
        raise ModelLoadError(f"{path} does not name its architecture. Get another file.")
    if not layout.tensor_count:
        raise ModelLoadError(f"{path} holds no weights, only a vocabulary. Get the whole model.")
