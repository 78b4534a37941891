"""A GGUF file of any kind: its metadata and where its tensors are, or one sentence on its fault.

llama.cpp answers a bad file with a line in its log and a null pointer, and a hostile one may end
the process. So a file is looked at here first. The format: docs/gguf.md of the ggml project.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gemma_chat.errors import GemmaChatError
from gemma_chat.models.gguf_bytes import CutShort, GgufBytes, Malformed, Scalar
from gemma_chat.models.lookalikes import looks_like
from gemma_chat.models.tensor_types import TENSOR_TYPES, tensor_bytes

MAGIC = b"GGUF"
SUPPORTED_VERSIONS = (2, 3)
MAX_KEYS = 65_536
MAX_KEY_BYTES = 65_535
MAX_TENSORS = 65_536
MAX_TENSOR_NAME_BYTES = 4096
MAX_DIMENSIONS = 4
MAX_SIZE = 2**63
"""Of a tensor in weights, and of its place in the file in bytes: llama.cpp counts in 64 bits."""

_DEFAULT_ALIGNMENT = 32
_MAX_ALIGNMENT = 2**20
_SMALLEST_KEY_BYTES = 8 + 4 + 1
_SMALLEST_TENSOR_BYTES = 8 + 4 + 4 + 8
_HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class FileKind:
    """How messages call a file, and which error they are."""

    noun: str
    """Such as "model file"."""
    error: type[GemmaChatError]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's shape, its innermost dimension first, and ggml's number of its type."""

    shape: tuple[int, ...]
    type_number: int
    offset: int = 0
    """Where it begins, in bytes from the first tensor's beginning."""

    @property
    def elements(self) -> int:
        """How many weights it has."""
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufLayout:
    """What stands in a file before its tensors; `metadata` is without arrays."""

    version: int
    metadata: dict[str, Scalar]
    kinds: dict[str, int]
    """GGUF's number of the type of every value, arrays included."""
    tensors: dict[str, Tensor]
    tensor_count: int
    tensor_bytes: int
    """From the beginning of the first tensor to the end of the last."""
    tensors_start: int
    file_bytes: int

    def text(self, key: str) -> str:
        """A text of the metadata; an empty string where it is missing or no text."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def whole(self, key: str, default: int) -> int:
        """A whole number of the metadata."""
        return _whole(self.metadata, key, default)

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all of its tensors."""
        return self.tensors_start + self.tensor_bytes <= self.file_bytes


def read_layout(path: Path, kind: FileKind) -> GgufLayout:
    """Read the head of a GGUF file; raises the error of `kind` in one sentence."""
    with _opened(path, kind) as (file, size):
        _check_beginning(path, kind, file, size)
        try:
            return _read(GgufBytes(file, size), size)
        except CutShort:
            raise kind.error(
                f"{path} is cut short: it ends within its header, after {size:,} bytes. Download "
                "it again."
            ) from None
        except Malformed as fault:
            raise kind.error(
                f"{path} is damaged or not a real GGUF file: {fault}. Download it again."
            ) from None


def must_be_whole(path: Path, kind: FileKind, layout: GgufLayout) -> None:
    """Raise the error of `kind` when the file ends before its tensors do."""
    if not layout.is_whole:
        wanted = layout.tensors_start + layout.tensor_bytes
        raise kind.error(
            f"{path} is cut short: {layout.file_bytes:,} of {wanted:,} bytes are there. Download "
            "it again."
        )


@contextmanager
def _opened(path: Path, kind: FileKind) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size in bytes, for reading."""
    with _open(path, kind) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise kind.error(f"{path} is a device or a pipe. Name a GGUF file.")
        try:
            yield file, status.st_size
        except OSError as error:
            raise kind.error(
                f"The {kind.noun} {path} cannot be read ({error.strerror}). Check the disk."
            ) from None


def _open(path: Path, kind: FileKind) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0, opener=_without_waiting)
    except FileNotFoundError:
        raise kind.error(f"There is no {kind.noun} {path}. Check the path.") from None
    except IsADirectoryError:
        raise kind.error(f"{path} is a folder. Name a GGUF file.") from None
    except PermissionError:
        raise kind.error(
            f"The {kind.noun} {path} may not be read by you. Change its permissions."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise kind.error(f"The {kind.noun} {path} cannot be opened ({reason}).") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open as usual, but do not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_beginning(path: Path, kind: FileKind, file: BinaryIO, size: int) -> None:
    if size == 0:
        raise kind.error(f"{path} is empty. Download it again.")
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head.startswith(MAGIC):
        raise kind.error(
            f"{path} is not a GGUF file; it looks like {looks_like(head)}. Name a GGUF file."
        )
    version = int.from_bytes(head[4:8], "little")
    if len(head) < 8 or version in SUPPORTED_VERSIONS:
        return
    if int.from_bytes(head[4:8], "big") in SUPPORTED_VERSIONS:
        raise kind.error(
            f"{path} is a GGUF file for big-endian machines. Get the usual, little-endian file."
        )
    supported = " and ".join(map(str, SUPPORTED_VERSIONS))
    raise kind.error(
        f"{path} is a GGUF file of version {version}; versions {supported} are supported. Get a "
        "file of a supported version."
    )


def _read(source: GgufBytes, size: int) -> GgufLayout:
    source.take(len(MAGIC))
    version = source.u32()
    tensor_count, key_count = source.u64(), source.u64()
    _check_count("tensors", tensor_count, MAX_TENSORS, _SMALLEST_TENSOR_BYTES, source)
    _check_count("keys", key_count, MAX_KEYS, _SMALLEST_KEY_BYTES, source)
    metadata, kinds = _read_metadata(source, key_count)
    alignment = _alignment(metadata)
    tensors, extent = _read_tensors(source, tensor_count, alignment)
    return GgufLayout(
        version=version,
        metadata=metadata,
        kinds=kinds,
        tensors=tensors,
        tensor_count=tensor_count,
        tensor_bytes=extent,
        tensors_start=_aligned(source.position, alignment),
        file_bytes=size,
    )


def _check_count(what: str, count: int, limit: int, smallest: int, source: GgufBytes) -> None:
    if count > limit:
        raise Malformed(f"it claims to hold {count:,} {what}")
    if count * smallest > source.remaining:
        raise CutShort


def _read_metadata(source: GgufBytes, count: int) -> tuple[dict[str, Scalar], dict[str, int]]:
    metadata: dict[str, Scalar] = {}
    kinds: dict[str, int] = {}
    for _ in range(count):
        key = source.text(MAX_KEY_BYTES)
        kinds[key], value = source.typed_value()
        if value is not None:
            metadata[key] = value
    return metadata, kinds


def _alignment(metadata: dict[str, Scalar]) -> int:
    alignment = _whole(metadata, "general.alignment", _DEFAULT_ALIGNMENT)
    if not 1 <= alignment <= _MAX_ALIGNMENT or alignment & (alignment - 1):
        raise Malformed(f"its alignment is {alignment}, which is not a power of two")
    return alignment


def _read_tensors(source: GgufBytes, count: int, alignment: int) -> tuple[dict[str, Tensor], int]:
    """All tensors by name, and the bytes from the first one's beginning to the last one's end."""
    tensors: dict[str, Tensor] = {}
    extent = 0
    for _ in range(count):
        name = source.text(MAX_TENSOR_NAME_BYTES)
        dimensions = source.u32()
        if dimensions > MAX_DIMENSIONS:
            raise Malformed(f"its tensor {name[:64]!r} has {dimensions} dimensions")
        shape = tuple(source.u64() for _ in range(dimensions))
        tensor = Tensor(shape, source.u32(), source.u64())
        offset = tensor.offset
        known = TENSOR_TYPES.get(tensor.type_number)
        if max(tensor.elements, offset) >= MAX_SIZE or offset % alignment:
            raise Malformed(f"its tensor {name[:64]!r} has an impossible size or place")
        if known is not None and shape and shape[0] % known[1]:
            raise Malformed(f"the rows of its tensor {name[:64]!r} are not whole blocks")
        extent = max(extent, offset + (tensor_bytes(tensor.type_number, tensor.elements) or 0))
        tensors[name] = tensor
    return tensors, extent


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


def _whole(metadata: dict[str, Scalar], key: str, default: int) -> int:
    value = metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
