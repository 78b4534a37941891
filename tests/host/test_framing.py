"""Frames: what arrives is a whole message of the protocol, or an error that says why not."""

from __future__ import annotations

import asyncio
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.errors import ProtocolError
from gemma_chat.host import framing
from gemma_chat.host.framing import MessageDecoder, encode_frame, read_payload
from gemma_chat.host.protocol import (
    MAX_FRAME_BYTES,
    Done,
    FromClient,
    FromHost,
    Hello,
    SaveDraft,
    TurnText,
)

from_client: MessageDecoder[FromClient] = MessageDecoder(FromClient)
from_host: MessageDecoder[FromHost] = MessageDecoder(FromHost)


def stream_of(content: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(content)
    stream.feed_eof()
    return stream


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 2**40))
async def test_what_is_sent_is_what_arrives(text: str, session: int) -> None:
    message = SaveDraft(7, session, text)
    stream = stream_of(encode_frame(message) + encode_frame(Hello(1, "x", 2)))
    first, second = await read_payload(stream), await read_payload(stream)
    assert first is not None
    assert second is not None
    assert from_client.decode(first) == message
    assert from_client.decode(second) == Hello(1, "x", 2)
    assert await read_payload(stream) is None


async def test_a_frame_that_comes_byte_by_byte_is_put_together() -> None:
    stream = asyncio.StreamReader()
    reading = asyncio.create_task(read_payload(stream))
    for byte in encode_frame(Done(5)):
        stream.feed_data(bytes([byte]))
        await asyncio.sleep(0)
    payload = await reading
    assert payload is not None
    assert from_host.decode(payload) == Done(5)


@pytest.mark.parametrize("kept", [1, 3, 4, 5, -1])
async def test_a_frame_that_is_cut_is_an_error(kept: int) -> None:
    with pytest.raises(ProtocolError, match="ended"):
        await read_payload(stream_of(encode_frame(Done(5))[:kept]))


@pytest.mark.parametrize("length", [0, MAX_FRAME_BYTES + 1, 2**32 - 1])
async def test_a_length_that_is_not_allowed_is_refused_before_anything_is_read(length: int) -> None:
    with pytest.raises(ProtocolError, match="announced"):
        await read_payload(stream_of(struct.pack(">I", length)))


def test_a_message_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 1000)
    with pytest.raises(ProtocolError, match="at most 1,000 bytes"):
        encode_frame(SaveDraft(1, 1, "x" * 1000))


def test_half_a_surrogate_pair_cannot_be_sent() -> None:
    with pytest.raises(ProtocolError, match="surrogate"):
        encode_frame(SaveDraft(1, 1, "\ud800"))


@pytest.mark.parametrize(
    "payload",
    [
        b"\xc1",
        b"",
        b"\x91" * 100_000 + b"\x90",
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"type": "no_such_thing"}),
        msgspec.msgpack.encode({"type": "save_draft", "id": 1}),
        msgspec.msgpack.encode({"type": "save_draft", "id": "one", "session": 1, "text": ""}),
        msgspec.msgpack.encode({"type": "turn_text", "id": 1}),
        b"\x82\xa4type\xaasave_draft\xa2id" + b"\xa4\xff\xfe\xfd\xfc",
    ],
    ids=["no-type", "empty", "deep", "array", "unknown", "field", "kind", "wrong-way", "utf-8"],
)
def test_what_is_not_a_message_is_an_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        from_client.decode(payload)


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(payload: bytes) -> None:
    try:
        message = from_host.decode(payload)
    except ProtocolError:
        return
    assert isinstance(message, msgspec.Struct)


def test_fields_a_newer_program_adds_are_passed_over() -> None:
    payload = msgspec.msgpack.encode(
        {"type": "hello", "version": 9, "program": "p", "pid": 1, "colour": "blue"}
    )
    assert from_client.decode(payload) == Hello(9, "p", 1)


def test_defaults_are_not_sent() -> None:
    assert len(encode_frame(TurnText(1, 2, 3, 0, "a"))) < 70
