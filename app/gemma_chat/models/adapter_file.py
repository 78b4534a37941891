"""A LoRA adapter in a GGUF file: whether llama.cpp can apply it to a model without a crash.

llama.cpp checks some of this itself and refuses, and ends the process over the rest: a value of
another type than expected (`gguf_get_val_f32` asserts), a tensor with a third dimension or of a
type without kernels (`ggml_mul_mat` asserts), a changed token embedding where the output layer is
the same tensor. So everything is checked here, before llama.cpp opens the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from gemma_chat.errors import AdapterError
from gemma_chat.models.gguf_bytes import FLOAT32
from gemma_chat.models.gguf_file import (
    FileKind,
    GgufLayout,
    Tensor,
    must_be_whole,
    read_layout,
)

_ADAPTER = FileKind("LoRA adapter", AdapterError)
_COMPUTABLE = frozenset((0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23, 30))
"""Types of tensors, by ggml's numbers, that every backend multiplies with."""

_LONGEST_NAME = 63
_IGNORED = "_norm.weight"
"""llama.cpp passes over tensors with this ending."""

_EMBEDDING = "token_embd.weight"
_OUTPUT = "output.weight"
_SUFFIXES = (".lora_a", ".lora_b")


def check_adapter_file(path: Path, architecture: str, weights: Mapping[str, Tensor]) -> None:
    """Make sure that `path` is a whole LoRA adapter for a model.

    Args:
        path: the adapter's file.
        architecture: the model's.
        weights: the model's tensors by name.

    Raises:
        AdapterError: one sentence on what is wrong with the file.
    """
    layout = read_layout(path, _ADAPTER)
    _check_metadata(path, layout, architecture)
    pairs = _pairs(path, layout)
    for name, (a, b) in pairs.items():
        base = weights.get(name)
        if base is None:
            raise AdapterError(
                f"The LoRA adapter {path} changes the tensor {name}, which this model does not "
                "have. Choose an adapter made for this very model."
            )
        if name == _EMBEDDING and _OUTPUT not in weights:
            raise AdapterError(
                f"The LoRA adapter {path} changes {name}, which in this model is the output layer "
                "too; llama.cpp cannot do that. Choose an adapter that leaves it alone."
            )
        _check_pair(path, name, base, a, b)
    must_be_whole(path, _ADAPTER, layout)


def check_adapter_numbers(path: Path) -> None:
    """Read all of a checked adapter; raises `AdapterError` when it holds what is no number.

    That would spread through the KV cache, and from there into other sessions. Only numbers
    stored as such are looked at; in the blocks of a quantised type they cannot be told apart.
    """
    import numpy as np

    layout = read_layout(path, _ADAPTER)
    for name, tensor in layout.tensors.items():
        dtype = {0: "<f4", 1: "<f2"}.get(tensor.type_number)
        if dtype is None:
            continue
        try:
            numbers = np.fromfile(
                path, dtype, tensor.elements, offset=layout.tensors_start + tensor.offset
            )
        except OSError as error:
            raise AdapterError(
                f"The LoRA adapter {path} cannot be read ({error.strerror}). Check the disk."
            ) from None
        if not np.isfinite(numbers).all():
            raise AdapterError(
                f"The LoRA adapter {path} is damaged: {name} holds what is no number. Get it again."
            )


def _check_metadata(path: Path, layout: GgufLayout, architecture: str) -> None:
    if layout.text("general.type") != "adapter" or layout.text("adapter.type") != "lora":
        raise AdapterError(
            f"{path} is not a LoRA adapter, but another kind of GGUF file. Name a file that "
            "convert_lora_to_gguf.py wrote."
        )
    made_for = layout.text("general.architecture")
    if made_for != architecture:
        raise AdapterError(
            f"The LoRA adapter {path} is for models of the architecture {made_for[:64]!r}; this "
            f"one is {architecture!r}. Choose an adapter made for this model."
        )
    if "adapter.alora.invocation_tokens" in layout.kinds:
        raise AdapterError(
            f"{path} is an activated LoRA, which begins to act within a prompt; that is not "
            "supported. Choose a plain LoRA adapter."
        )
    key = "adapter.lora.alpha"
    alpha = layout.metadata.get(key, 0.0)
    if key in layout.kinds and (
        layout.kinds[key] != FLOAT32 or not isinstance(alpha, float) or not math.isfinite(alpha)
    ):
        raise AdapterError(
            f"The LoRA adapter {path} is damaged: its alpha is not a number. Get it again."
        )


def _pairs(path: Path, layout: GgufLayout) -> dict[str, tuple[Tensor, Tensor]]:
    """The two matrices for each tensor of the model that the adapter changes."""
    halves: dict[str, dict[str, Tensor]] = {}
    for name, tensor in layout.tensors.items():
        base, suffix = name[:-7], name[-7:]
        if suffix not in _SUFFIXES:
            if name.endswith(_IGNORED):
                continue
            raise AdapterError(
                f"The LoRA adapter {path} holds the tensor {name[:80]!r}, which is no part of a "
                "LoRA adapter. Get it again."
            )
        if len(name.encode()) > _LONGEST_NAME or any(part in base for part in _SUFFIXES):
            raise AdapterError(
                f"The LoRA adapter {path} is damaged: it names a tensor {name[:80]!r}. Get it "
                "again."
            )
        halves.setdefault(base, {})[suffix] = tensor
    if not halves:
        raise AdapterError(f"The LoRA adapter {path} changes nothing. Get another file.")
    for base, found in halves.items():
        if len(found) < len(_SUFFIXES):
            raise AdapterError(
                f"The LoRA adapter {path} is damaged: one of the two matrices for {base} is "
                "missing. Get it again."
            )
    return {base: (found[".lora_a"], found[".lora_b"]) for base, found in halves.items()}


def _check_pair(path: Path, name: str, base: Tensor, a: Tensor, b: Tensor) -> None:
    for matrix in (a, b):
        if matrix.type_number not in _COMPUTABLE:
            raise AdapterError(
                f"The LoRA adapter {path} stores its matrices for {name} in a type that cannot be "
                "computed with. Convert it with --outtype f16."
            )
    base_shape = _plain(base.shape)
    a_shape, b_shape = _plain(a.shape), _plain(b.shape)
    rank = a_shape[0] if name == _EMBEDDING else a_shape[1] if len(a_shape) > 1 else 1
    if name == _EMBEDDING:
        fits = a_shape == (rank, base_shape[1]) and b_shape == (rank, base_shape[0])
    else:
        fits = (
            len(base.shape) > 1
            and len(base_shape) in (2, 3)
            and _padded(a_shape, base_shape) == (base_shape[0], rank, *base_shape[2:])
            and _padded(b_shape, base_shape) == (rank, base_shape[1], *base_shape[2:])
        )
    if not fits or rank < 1:
        raise AdapterError(
            f"The LoRA adapter {path} does not fit: for {name} of {_written(base.shape)} it has "
            f"matrices of {_written(a.shape)} and {_written(b.shape)}. Choose an adapter made for "
            "this very model."
        )


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape of at least two dimensions, without further ones of length 1."""
    shape = (*shape, 1, 1)[: max(2, len(shape))]
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _padded(shape: tuple[int, ...], like: tuple[int, ...]) -> tuple[int, ...]:
    return shape + (1,) * (len(like) - len(shape))


def _written(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{length:,}" for length in shape) or "no size"
