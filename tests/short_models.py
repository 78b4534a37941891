"""The first layers of a real model as a model of its own.

Tokenizer, template, architecture and kernels are those of the whole model, at a fraction of its
time; what it says makes no sense. It serves tests of what is exact whatever a model says.
"""

from __future__ import annotations

import struct
from pathlib import Path

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.gguf_file import FileKind, Tensor, read_layout
from gemma_chat.models.tensor_types import tensor_bytes

_COUNTS_END = 24
"""Bytes of the magic, the version, and the numbers of tensors and keys."""
_ALIGNMENT = 32


def write_short_model(source: Path, target: Path, layers: int) -> Path:
    """Write the first `layers` layers of the model in `source`, with all that is no layer."""
    layout = read_layout(source, FileKind("model file", ModelLoadError))
    kept = {name: tensor for name, tensor in layout.tensors.items() if _layer(name) < layers}
    with source.open("rb") as file, target.open("wb") as short:
        head = file.read(layout.tensors_start)
        metadata = head[_COUNTS_END : head.index(_text(next(iter(layout.tensors))))]
        keys = len(layout.kinds)
        short.write(struct.pack("<4sIQQ", head[:4], layout.version, len(kept), keys))
        count = _text(f"{layout.text('general.architecture')}.block_count") + struct.pack("<I", 4)
        before, after = metadata.split(count)
        short.write(before + count + struct.pack("<I", layers) + after[4:])
        short.write(_table(kept))
        for tensor in kept.values():
            short.write(bytes(-short.tell() % _ALIGNMENT))
            file.seek(layout.tensors_start + tensor.offset)
            short.write(file.read(_size(tensor)))
    return target


def _layer(name: str) -> int:
    """The layer a tensor belongs to; -1 for those outside of all layers."""
    first, _, rest = name.partition(".")
    return int(rest.partition(".")[0]) if first == "blk" else -1


def _table(tensors: dict[str, Tensor]) -> bytes:
    """What stands of the tensors before their data, which follow each other in this order."""
    table = b""
    offset = 0
    for name, tensor in tensors.items():
        table += _text(name) + struct.pack("<I", len(tensor.shape))
        table += struct.pack(f"<{len(tensor.shape)}Q", *tensor.shape)
        table += struct.pack("<IQ", tensor.type_number, offset)
        offset += -(-_size(tensor) // _ALIGNMENT) * _ALIGNMENT
    return table


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _size(tensor: Tensor) -> int:
    size = tensor_bytes(tensor.type_number, tensor.elements)
    assert size is not None
    return size
