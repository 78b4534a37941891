"""LoRA adapters written for the tests: small, random, and different for each seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import gguf
import numpy as np

from gemma_chat.models.gguf_header import check_model_file

CHANGED = ("blk.0.attn_q.weight", "blk.1.ffn_down.weight", "blk.2.attn_output.weight")

Fill = Callable[[gguf.GGUFWriter], None]


def metadata(writer: gguf.GGUFWriter) -> None:
    """What every adapter says of itself."""
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)


def write_gguf(
    path: Path, architecture: str, fill: Fill, tensors: Sequence[tuple[str, np.ndarray]]
) -> Path:
    """Write a GGUF file of any content."""
    writer = gguf.GGUFWriter(path, architecture)
    fill(writer)
    for name, tensor in tensors:
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_adapter(path: Path, model: Path, seed: int, *, strength: float = 0.25) -> Path:
    """Write an adapter of rank 4 for the model in a file."""
    header = check_model_file(model)
    chance = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * strength).astype(np.float32)

    tensors = []
    for name in CHANGED:
        inner, outer = header.tensors[name].shape
        tensors += [(f"{name}.lora_a", drawn(4, inner)), (f"{name}.lora_b", drawn(outer, 4))]
    return write_gguf(path, header.architecture, metadata, tensors)
