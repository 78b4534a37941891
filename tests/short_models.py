"""The first layers of a real model, and the first tokens of its vocabulary, as one of its own.

Tokenizer, template, architecture and kernels are those of the whole model, at a fraction of its
time; what it says makes no sense. It serves tests of what is exact whatever a model says.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.gguf_bytes import GgufBytes
from gemma_chat.models.gguf_file import FileKind, GgufLayout, Tensor, read_layout
from gemma_chat.models.tensor_types import tensor_bytes

_COUNTS_END = 24
"""Bytes of the magic, the version, and the numbers of tensors and keys."""
_ARRAY_HEAD = 4 + 4 + 8
"""Bytes before an array's elements: that it is one, of what type, and how many there are."""
_ALIGNMENT = 32
_NORMAL = 1
"""The type of a token that is text, and neither a control token nor a single byte."""
_EMBEDDINGS = "token_embd.weight"
_TOKENS, _SCORES, _TYPES = (f"tokenizer.ggml.{name}" for name in ("tokens", "scores", "token_type"))


def write_short_model(
    source: Path, target: Path, *, layers: int, tokens: int = 0, window: int = 0
) -> Path:
    """Write the first `layers` layers of the model in `source`, with all that is no layer.

    With `tokens` only so many of its vocabulary are kept, of the kind that knows no merges, and
    beside them every token that is not plain text, and all letters and signs of ASCII. With
    `window` its sliding window looks back so many tokens.
    """
    layout = read_layout(source, FileKind("model file", ModelLoadError))
    with source.open("rb") as file:
        metadata = _metadata(file, len(layout.kinds))
        vocabulary = _Vocabulary.cut(metadata, tokens) if tokens else None
        if vocabulary is not None:
            metadata |= vocabulary.arrays()
        architecture = layout.text("general.architecture")
        numbers = {"block_count": layers, "attention.sliding_window": window}
        for name, number in numbers.items():
            if number:
                key = f"{architecture}.{name}"
                metadata[key] = metadata[key][:4] + struct.pack("<I", number)
        kept = [
            _Kept(name, tensor, vocabulary if name == _EMBEDDINGS else None)
            for name, tensor in layout.tensors.items()
            if _layer(name) < layers
        ]
        with target.open("wb") as short:
            short.write(struct.pack("<4sIQQ", b"GGUF", layout.version, len(kept), len(metadata)))
            short.writelines(_text(key) + value for key, value in metadata.items())
            short.write(_table(kept))
            for one in kept:
                short.write(bytes(-short.tell() % _ALIGNMENT))
                short.writelines(one.pieces(file, layout))
    return target


def _metadata(file: BinaryIO, count: int) -> dict[str, bytes]:
    """Every value as it stands in the file, its type first."""
    size = file.seek(0, 2)
    file.seek(0)
    whole = GgufBytes(file, size)
    whole.take(_COUNTS_END)
    spans: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        key, start = whole.text(), whole.position
        whole.typed_value()
        spans[key] = (start, whole.position)
    file.seek(0)
    head = file.read(whole.position)
    return {key: head[start:end] for key, (start, end) in spans.items()}


@dataclass(frozen=True)
class _Vocabulary:
    """The tokens that are kept of a whole vocabulary, each in the place of its number."""

    kept: tuple[int, ...]
    texts: tuple[bytes, ...]
    scores: tuple[bytes, ...]
    types: tuple[bytes, ...]

    @classmethod
    def cut(cls, metadata: dict[str, bytes], tokens: int) -> _Vocabulary:
        texts = tuple(_texts(metadata[_TOKENS]))
        scores, types = (tuple(_fours(metadata[key])) for key in (_SCORES, _TYPES))
        plain = struct.pack("<i", _NORMAL)
        return cls(
            tuple(
                number
                for number, text in enumerate(texts)
                if number < tokens or types[number] != plain or len(text) == 8 + 1
            ),
            texts,
            scores,
            types,
        )

    def arrays(self) -> dict[str, bytes]:
        """The keys of the metadata that tell of the vocabulary."""
        return {
            key: struct.pack("<IIQ", 9, kind, len(self.kept))
            + b"".join(values[number] for number in self.kept)
            for key, kind, values in (
                (_TOKENS, 8, self.texts),
                (_SCORES, 6, self.scores),
                (_TYPES, 5, self.types),
            )
        }


def _texts(value: bytes) -> Iterator[bytes]:
    """The texts of an array, each behind its length."""
    at = _ARRAY_HEAD
    while at < len(value):
        end = at + 8 + struct.unpack_from("<Q", value, at)[0]
        yield value[at:end]
        at = end


def _fours(value: bytes) -> Iterator[bytes]:
    """The elements of an array of four bytes each."""
    return (value[at : at + 4] for at in range(_ARRAY_HEAD, len(value), 4))


@dataclass(frozen=True)
class _Kept:
    """A tensor that is kept, or the rows of those tokens that are."""

    name: str
    whole: Tensor
    rows: _Vocabulary | None

    @property
    def tensor(self) -> Tensor:
        """As it is in the short model."""
        if self.rows is None:
            return self.whole
        return replace(self.whole, shape=(self.whole.shape[0], len(self.rows.kept)))

    def pieces(self, file: BinaryIO, layout: GgufLayout) -> Iterator[bytes]:
        """Its bytes."""
        start = layout.tensors_start + self.whole.offset
        if self.rows is None:
            file.seek(start)
            yield file.read(_size(self.whole))
            return
        row = _size(replace(self.whole, shape=self.whole.shape[:1]))
        for number in self.rows.kept:
            file.seek(start + row * number)
            yield file.read(row)


def _layer(name: str) -> int:
    """The layer a tensor belongs to; -1 for those outside of all layers."""
    first, _, rest = name.partition(".")
    return int(rest.partition(".")[0]) if first == "blk" else -1


def _table(kept: list[_Kept]) -> bytes:
    """What stands of the tensors before their data, which follow each other in this order."""
    table = b""
    offset = 0
    for name, tensor in ((one.name, one.tensor) for one in kept):
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
