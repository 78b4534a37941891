"""Frames over a byte stream: four bytes of length, big-endian, then a MessagePack message.

Everything that comes from the other side is damaged until proven whole: a frame that is cut, too
large, or not a message of the protocol raises `ProtocolError` with a sentence that says so.
"""

from __future__ import annotations

import asyncio
import struct
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

import msgspec

from gemma_chat.errors import ProtocolError
from gemma_chat.host.protocol import MAX_FRAME_BYTES

Message = TypeVar("Message")

_LENGTH: Final = struct.Struct(">I")
_encoder: Final = msgspec.msgpack.Encoder()

FLUSH_SECONDS: Final = 2.0
"""How long the other side may take to read the last bytes before a connection is cut."""

STREAM_BUFFER_BYTES: Final = 256 * 1024
"""How much a stream reads ahead; a frame may be larger, it is then read in several goes."""


def encode_frame(message: msgspec.Struct) -> bytes:
    """The frame of `message`.

    Raises `ProtocolError` when it is larger than `MAX_FRAME_BYTES` or its text is not Unicode.
    """
    try:
        payload = _encoder.encode(message)
    except UnicodeEncodeError as error:
        raise ProtocolError(
            "The text holds half a surrogate pair and cannot be sent; remove that character."
        ) from error
    if len(payload) > MAX_FRAME_BYTES:
        raise ProtocolError(
            f"A message of {len(payload):,} bytes cannot be sent; at most {MAX_FRAME_BYTES:,} "
            "bytes are allowed. Shorten the text."
        )
    return _LENGTH.pack(len(payload)) + payload


async def read_payload(stream: asyncio.StreamReader) -> bytes | None:
    """The bytes of the next frame, or `None` when the other side has ended between two frames.

    Raises `ProtocolError` when the frame is empty, too large, or cut, and `OSError` when the
    connection breaks.
    """
    try:
        header = await stream.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise ProtocolError("The connection ended in the middle of a frame's length.") from error
    (length,) = _LENGTH.unpack(header)
    if not 0 < length <= MAX_FRAME_BYTES:
        raise ProtocolError(
            f"A frame of {length:,} bytes was announced; 1 to {MAX_FRAME_BYTES:,} are allowed."
        )
    try:
        return await stream.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise ProtocolError(
            f"The connection ended after {len(error.partial):,} of {length:,} bytes of a frame."
        ) from error


async def shut(writer: asyncio.StreamWriter) -> None:
    """Close a connection; one whose other side does not read is cut off."""
    writer.close()
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        pass


class MessageDecoder(Generic[Message]):
    """Decodes the payload of a frame into a message of one union of types.

    What it takes is made with the first message: the first paint of a terminal comes before.
    """

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[Message]:
        return msgspec.msgpack.Decoder(self._kind)

    def decode(self, payload: bytes) -> Message:
        """The message in `payload`; raises `ProtocolError` when there is none."""
        try:
            return self._decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ProtocolError(f"A message could not be read: {error}") from error
