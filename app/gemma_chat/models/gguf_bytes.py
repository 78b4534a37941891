"""Reading GGUF's elements from a file that may be cut short, damaged or hostile.

Every length is checked against what is left of the file and against a limit before anything is
reserved or skipped, so that the work is bounded whatever the file says.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from gemma_chat.quantities import MB, byte_size

MAX_HEADER_BYTES = 128 * MB
MAX_STRINGS_IN_ARRAYS = 4_000_000
"""Vocabularies have up to about 300,000 tokens, their merges about twice that."""

MAX_STRING_BYTES = 16 * 1024 * 1024
MAX_ARRAY_DEPTH = 4

_CHUNK_BYTES = 1024 * 1024
_STRING = 8
_ARRAY = 9
_SCALARS: dict[int, struct.Struct] = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
FLOAT32 = 6
"""GGUF's number of this type."""

_U32 = _SCALARS[4]
_U64 = _SCALARS[10]

Scalar = int | float | bool | str


class CutShort(Exception):
    """The file ends before what it announces."""


class Malformed(Exception):
    """The file says something that cannot be; the message says what."""


class GgufBytes:
    """A cursor over the head of a GGUF file, which is read piece by piece as it moves on."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._read = bytearray()
        self._strings_left = MAX_STRINGS_IN_ARRAYS
        self.position = 0

    @property
    def remaining(self) -> int:
        """Bytes from here to the end of the file."""
        return self._size - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        start = self.position
        self._skip(count)
        return bytes(self._read[start : self.position])

    def u32(self) -> int:
        """The next 32-bit number."""
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        """The next 64-bit number."""
        return int(_U64.unpack(self.take(8))[0])

    def text(self, limit: int = MAX_STRING_BYTES) -> str:
        """The next string; bytes that are not UTF-8 become U+FFFD."""
        length = self.u64()
        if length > limit:
            raise Malformed(f"it holds a string of {length:,} bytes")
        return self.take(length).decode("utf-8", "replace")

    def typed_value(self) -> tuple[int, Scalar | None]:
        """GGUF's number of the next metadata value's type, and the value.

        The value is None for an array, which is skipped.
        """
        kind = self.u32()
        if kind == _STRING:
            return kind, self.text()
        if kind == _ARRAY:
            self._skip_array(depth=1)
            return kind, None
        scalar = _SCALARS.get(kind)
        if scalar is None:
            raise Malformed(f"it holds a value of the unknown type {kind}")
        value: Scalar = scalar.unpack(self.take(scalar.size))[0]
        return kind, value

    def _skip_array(self, depth: int) -> None:
        if depth > MAX_ARRAY_DEPTH:
            raise Malformed("its arrays are nested too deeply")
        kind, count = self.u32(), self.u64()
        if kind == _STRING:
            self._skip_strings(count)
        elif kind == _ARRAY:
            self._spend_strings(count)
            for _ in range(count):
                self._skip_array(depth + 1)
        elif kind in _SCALARS:
            self._skip(count * _SCALARS[kind].size)
        else:
            raise Malformed(f"it holds an array of the unknown type {kind}")

    def _spend_strings(self, count: int) -> None:
        if count > self._strings_left:
            raise Malformed(f"it holds a list of {count:,} texts")
        self._strings_left -= count

    def _skip_strings(self, count: int) -> None:
        """Skip a vocabulary: a loop without calls, for it runs some 300,000 times."""
        self._spend_strings(count)
        read, position, unpack = self._read, self.position, _U64.unpack_from
        for _ in range(count):
            if position + 8 > len(read):
                self._fill(position + 8)
            position += 8 + unpack(read, position)[0]
        self.position = position
        self._skip(0)

    def _skip(self, count: int) -> None:
        end = self.position + count
        if end > len(self._read):
            self._fill(end)
        self.position = end

    def _fill(self, end: int) -> None:
        """Have at least the first `end` bytes of the file in memory."""
        if end > self._size:
            raise CutShort
        if end > MAX_HEADER_BYTES:
            raise Malformed(f"its header is larger than {byte_size(MAX_HEADER_BYTES)}")
        while len(self._read) < end:
            piece = self._file.read(max(_CHUNK_BYTES, end - len(self._read)))
            if not piece:
                raise CutShort
            self._read += piece
