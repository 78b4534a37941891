"""The head of a GGUF file: what the model is, and whether the file is whole.

llama.cpp answers a bad file with a line in its log and a null pointer, and a hostile one may end
the process. So a file is looked at here first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.gguf_bytes import CutShort, GgufBytes, Malformed, Scalar
from gemma_chat.models.lookalikes import looks_like
from gemma_chat.models.tensor_types import FILE_TYPES, TENSOR_TYPES, tensor_bytes

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


Metadata = dict[str, Scalar]
"""The keys of a file with their values; arrays are left out."""

KindCheck = Callable[[Path, Metadata, int], None]
"""Raises `ModelLoadError` when a whole file, of so many tensors, is of the wrong kind."""


def check_model_file(path: Path) -> GgufHeader:
    """Make sure that `path` is a whole GGUF file of a chat model, and return what it says.

    Raises `ModelLoadError` with one sentence on what is wrong with the file.
    """
    return check_gguf_file(path, _check_kind)[0]


def check_gguf_file(path: Path, check_kind: KindCheck) -> tuple[GgufHeader, Metadata]:
    """Make sure that `path` is a whole GGUF file of one kind; returns its head and its keys.

    Raises `ModelLoadError` with one sentence on what is wrong with the file.
    """
    with _opened(path) as (file, size):
        _check_beginning(path, file, size)
        try:
            return _read_header(path, GgufBytes(file, size), size, check_kind)
        except CutShort:
            raise ModelLoadError(
                f"{path} is cut short: it ends within its header, after {size:,} bytes. Download "
                "it again."
            ) from None
        except Malformed as fault:
            raise ModelLoadError(
                f"{path} is damaged or not a real GGUF file: {fault}. Download it again."
            ) from None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size in bytes, for reading."""
    with _open(path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelLoadError(f"{path} is a device or a pipe. Name a GGUF file.")
        try:
            yield file, status.st_size
        except OSError as error:
            raise ModelLoadError(
                f"The model file {path} cannot be read ({error.strerror}). Check the disk."
            ) from None


def _open(path: Path) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0, opener=_without_waiting)
    except FileNotFoundError:
        raise ModelLoadError(f"There is no model file {path}. Check the path.") from None
    except IsADirectoryError:
        raise ModelLoadError(f"{path} is a folder. Name a GGUF file.") from None
    except PermissionError:
        raise ModelLoadError(
            f"The model file {path} may not be read by you. Change its permissions."
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelLoadError(f"The model file {path} cannot be opened ({reason}).") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open as usual, but do not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _check_beginning(path: Path, file: BinaryIO, size: int) -> None:
    if size == 0:
        raise ModelLoadError(f"{path} is empty. Download it again.")
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head.startswith(MAGIC):
        raise ModelLoadError(
            f"{path} is not a GGUF file; it looks like {looks_like(head)}. Name a GGUF file."
        )
    version = int.from_bytes(head[4:8], "little")
    if len(head) < 8 or version in SUPPORTED_VERSIONS:
        return
    if int.from_bytes(head[4:8], "big") in SUPPORTED_VERSIONS:
        raise ModelLoadError(
            f"{path} is a GGUF file for big-endian machines. Get the usual, little-endian file."
        )
    supported = " and ".join(map(str, SUPPORTED_VERSIONS))
    raise ModelLoadError(
        f"{path} is a GGUF file of version {version}; versions {supported} are supported. Get a "
        "file of a supported version."
    )


def _read_header(
    path: Path, source: GgufBytes, size: int, check_kind: KindCheck
) -> tuple[GgufHeader, Metadata]:
    source.take(len(MAGIC))
    version = source.u32()
    tensor_count, key_count = source.u64(), source.u64()
    _check_count("tensors", tensor_count, MAX_TENSORS, _SMALLEST_TENSOR_BYTES, source)
    _check_count("keys", key_count, MAX_KEYS, _SMALLEST_KEY_BYTES, source)
    metadata = _read_metadata(source, key_count)
    alignment = _alignment(metadata)
    extent, parameters = _read_tensors(source, tensor_count, alignment)
    check_kind(path, metadata, tensor_count)
    start = _aligned(source.position, alignment)
    if start + extent > size:
        raise ModelLoadError(
            f"{path} is cut short: {size:,} of {start + extent:,} bytes are there. Download it "
            "again."
        )
    architecture = _text(metadata, "general.architecture")
    header = GgufHeader(
        path=path,
        version=version,
        architecture=architecture,
        name=_text(metadata, "general.name"),
        size_label=_text(metadata, "general.size_label"),
        quantisation=FILE_TYPES.get(_whole(metadata, "general.file_type", -1), ""),
        context_length=max(0, _whole(metadata, f"{architecture}.context_length", 0)),
        has_chat_template=bool(_text(metadata, "tokenizer.chat_template")),
        parameters=parameters,
        tensor_count=tensor_count,
        tensor_bytes=extent,
        file_bytes=size,
    )
    return header, metadata


def _check_count(what: str, count: int, limit: int, smallest: int, source: GgufBytes) -> None:
    if count > limit:
        raise Malformed(f"it claims to hold {count:,} {what}")
    if count * smallest > source.remaining:
        raise CutShort


def _read_metadata(source: GgufBytes, count: int) -> Metadata:
    metadata: Metadata = {}
    for _ in range(count):
        key = source.text(MAX_KEY_BYTES)
        value = source.value()
        if value is not None:
            metadata[key] = value
    return metadata


def _alignment(metadata: Metadata) -> int:
    alignment = _whole(metadata, "general.alignment", _DEFAULT_ALIGNMENT)
    if not 1 <= alignment <= _MAX_ALIGNMENT or alignment & (alignment - 1):
        raise Malformed(f"its alignment is {alignment}, which is not a power of two")
    return alignment


def _read_tensors(source: GgufBytes, count: int, alignment: int) -> tuple[int, int]:
    """The bytes and the number of weights of all tensors."""
    extent = parameters = 0
    for _ in range(count):
        name = source.text(MAX_TENSOR_NAME_BYTES)
        dimensions = source.u32()
        if dimensions > MAX_DIMENSIONS:
            raise Malformed(f"its tensor {name[:64]!r} has {dimensions} dimensions")
        shape = [source.u64() for _ in range(dimensions)]
        kind, offset = source.u32(), source.u64()
        elements = 1
        for length in shape:
            elements *= length
        if max(elements, offset) >= MAX_SIZE or offset % alignment:
            raise Malformed(f"its tensor {name[:64]!r} has an impossible size or place")
        if kind in TENSOR_TYPES and shape and shape[0] % TENSOR_TYPES[kind][1]:
            raise Malformed(f"the rows of its tensor {name[:64]!r} are not whole blocks")
        extent = max(extent, offset + (tensor_bytes(kind, elements) or 0))
        parameters += elements
    return extent, parameters


def _check_kind(path: Path, metadata: Metadata, tensor_count: int) -> None:
    """Refuse GGUF files that are whole but hold no chat model."""
    architecture = _text(metadata, "general.architecture")
    kind = _text(metadata, "general.type")
    part = _whole(metadata, "split.no", 0)
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
    if not tensor_count:
        raise ModelLoadError(f"{path} holds no weights, only a vocabulary. Get the whole model.")


def _aligned(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment


def _text(metadata: Metadata, key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _whole(metadata: Metadata, key: str, default: int) -> int:
    value = metadata.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
