"""Whether a model fits into memory, before it is loaded, and what would fit instead.

Without this check the kernel ends the process some time later, and nobody knows why.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemma_chat.errors import ModelLoadError
from gemma_chat.quantities import MB, byte_size
from gemma_chat.terms import KvType

KV_BYTES: dict[KvType, float] = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes an element takes: a block of 32 with its scale (ggml-common.h)."""

_OVERHEAD = 256 * MB
"""Compute buffers and the process itself."""
_STEP = 256


@dataclass(frozen=True, slots=True)
class KvShape:
    """What the KV cache of a model is made of, from its metadata."""

    layers: int
    window_layers: int
    """How many of them look back over the sliding window only."""
    window: int
    heads: int
    key_length: int
    value_length: int

    def bytes(self, context_size: int, kv_type: KvType, streams: int) -> int:
        """The size of the whole KV cache."""
        window = min(context_size, self.window + _STEP)
        cells = (self.layers - self.window_layers) * context_size + self.window_layers * window
        row = self.heads * (self.key_length + self.value_length) * KV_BYTES[kv_type]
        return int(cells * row * streams)


@dataclass(frozen=True, slots=True)
class Need:
    """What loading takes, in bytes."""

    weights: int
    kv: int
    states: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.states + _OVERHEAD


def check_fit(
    name: str,
    shape: KvShape,
    *,
    weights: int,
    states: int,
    context_size: int,
    kv_type: KvType,
    streams: int,
    available: int,
) -> Need:
    """What loading `name` takes; raises `ModelLoadError` when it is more than `available` bytes.

    The message says what would fit: a smaller context, a smaller KV type, or only another model.
    """
    need = Need(weights, shape.bytes(context_size, kv_type, streams), states)
    if need.total <= available:
        return need
    sentence = (
        f"{name} does not fit into memory: weights {byte_size(weights)}, "
        f"KV cache {byte_size(need.kv)} (context_size {context_size}, kv_type {kv_type}), "
        f"saved states {byte_size(states)}, together {byte_size(need.total)} with what computing "
        f"takes; {byte_size(available)} are free. "
    )
    raise ModelLoadError(sentence + _advice(shape, need, context_size, kv_type, streams, available))


def _advice(
    shape: KvShape, need: Need, context_size: int, kv_type: KvType, streams: int, available: int
) -> str:
    for smaller in ("f16", "q8_0", "q4_0"):
        if KV_BYTES[smaller] > KV_BYTES[kv_type]:
            continue
        left = available - need.weights - need.states - _OVERHEAD
        size = _largest(shape, smaller, streams, left, context_size)
        if size >= 1024:
            change = "" if smaller == kv_type else f" with kv_type {smaller}"
            return f"A context_size of {size}{change} would fit."
    if need.weights + _OVERHEAD < available:
        return "Set memory.states_mb lower and context_size to 1024, or close other programs."
    return "Choose a smaller model or a smaller quantisation of it."


def _largest(shape: KvShape, kv_type: KvType, streams: int, left: int, most: int) -> int:
    """The largest context, in steps of 256 tokens, whose KV cache takes at most `left` bytes."""
    low, high = 0, most // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        if shape.bytes(middle * _STEP, kv_type, streams) <= left:
            low = middle
        else:
            high = middle - 1
    return low * _STEP
