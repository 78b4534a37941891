"""How much memory a model file will take, from its head alone: before it is loaded, and about.

The engine checks it exactly when the model is loaded, see `engine.fit`; here a person is told while
choosing. What one tensor of several layers shares is not known here.
"""

from __future__ import annotations

from typing import Final

from gemma_chat.config.schema import MemorySettings, ModelSettings
from gemma_chat.engine.fit import KvShape, Need
from gemma_chat.host.protocol import MemoryFit
from gemma_chat.models.gguf_file import GgufLayout
from gemma_chat.quantities import MB

STREAMS: Final = 2
"""The sequences that are resident at once, see `engine.context`."""
USUAL_CONTEXT: Final = 8192
"""The window of a model for which the settings name none."""
_USUAL_STATES: Final = 512 * MB
"""Saved states, where the settings leave it to the engine, which takes less when there is less."""
_WINDOW_PATTERN: Final = 6
"""Of so many layers one sees the whole context, where the file does not say."""


def fit_of(needed: int, *, free: int, total: int) -> MemoryFit:
    """Whether `needed` bytes fit into the `free` ones, or into the `total` of the machine."""
    if needed <= free:
        return "fits"
    return "tight" if needed <= total else "too_large"


def needed_by(
    layout: GgufLayout, weights: int, model: ModelSettings, memory: MemorySettings
) -> int:
    """About how many bytes loading this file takes, `weights` of them for its tensors."""
    architecture = layout.text("general.architecture")
    trained = layout.whole(f"{architecture}.context_length", USUAL_CONTEXT)
    context = model.context_size or min(trained, USUAL_CONTEXT)
    states = memory.states_mb * MB if memory.states_mb else min(_USUAL_STATES, weights)
    kv = _shape(layout, architecture).bytes(max(1, context), model.kv_type, STREAMS)
    return Need(weights, kv, states).total


def _shape(layout: GgufLayout, architecture: str) -> KvShape:
    def number(key: str, default: int) -> int:
        return max(0, layout.whole(f"{architecture}.{key}", default))

    heads = max(1, number("attention.head_count", 1))
    width = number("embedding_length", 0) // heads
    layers = number("block_count", 0)
    window = number("attention.sliding_window", 0)
    pattern = max(1, number("attention.sliding_window_pattern", _WINDOW_PATTERN))
    return KvShape(
        layers=layers,
        window_layers=layers - layers // pattern if window else 0,
        window=window,
        heads=number("attention.head_count_kv", heads),
        key_length=number("attention.key_length", width),
        value_length=number("attention.value_length", width),
    )
