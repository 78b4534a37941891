"""How long a recording is, and whether its file is whole, without decoding it.

WAV: Microsoft's RIFF "Multimedia Programming Interface", chunks `fmt ` and `data`. FLAC: RFC 9639.
MP3: ISO 11172-3 and 13818-3, frame by frame; a tag in front as id3.org describes it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from gemma_chat.media.crc import crc8, crc16
from gemma_chat.media.faults import CUT, DAMAGED, MediaFault

_MOST_FRAME_BYTES = 2**18
"""Where the last frame of a FLAC is looked for, from the end; usual ones have 10,000 bytes."""
_UNKNOWN_LENGTH = "it does not say how long it is; convert it to WAV"


def wav_seconds(data: bytes) -> float:
    """The length of a WAV in seconds."""
    at, rate = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"data":
            if not rate:
                raise MediaFault(DAMAGED)
            if at + 8 + size > len(data):
                raise MediaFault(CUT)
            return size / rate
        if name == b"fmt ":
            rate = _wav_bytes_per_second(data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    raise MediaFault(CUT)


def _wav_bytes_per_second(block: bytes) -> int:
    if len(block) < 16:
        raise MediaFault(CUT)
    _, channels, samples, rate, align, bits = struct.unpack_from("<HHIIHH", block)
    if not (0 < channels <= 64 and 0 < samples <= 768_000 and rate and align and bits <= 64):
        raise MediaFault(DAMAGED)
    return int(rate)


# ---------------------------------------------------------------- FLAC


def flac_seconds(data: bytes) -> float:
    """The length of a FLAC in seconds."""
    if data[4:5] and data[4] & 0x7F:
        raise MediaFault(DAMAGED)
    if len(data) < 42:
        raise MediaFault(CUT)
    packed = int.from_bytes(data[18:26], "big")
    rate, samples = packed >> 44, packed & (1 << 36) - 1
    if not rate:
        raise MediaFault(DAMAGED)
    if not samples:
        raise MediaFault(_UNKNOWN_LENGTH)
    if not _ends_whole(data, samples, int.from_bytes(data[8:10], "big")):
        raise MediaFault(CUT)
    return samples / rate


def _ends_whole(data: bytes, samples: int, block: int) -> bool:
    """Whether the last frame is whole and brings the number of samples that was promised."""
    at = len(data)
    first = max(42, len(data) - _MOST_FRAME_BYTES)
    while (at := data.rfind(b"\xff", first, at)) >= 0:
        if data[at + 1 : at + 2] in (b"\xf8", b"\xf9"):
            end = _flac_frame_end(data[at : at + 16], block)
            if end is not None and crc16(data[at:-2]) == int.from_bytes(data[-2:], "big"):
                return end >= samples
    return False


def _flac_frame_end(head: bytes, block: int) -> int | None:
    """Which sample a frame ends with, if `head` begins one: its own CRC tells."""
    if len(head) < 6:
        return None
    coded, width = _coded_number(head)
    at = 4 + width
    code = head[2] >> 4
    extra = {6: 1, 7: 2}.get(code, 0)
    size = int.from_bytes(head[at : at + extra], "big") + 1 if extra else _flac_block(code)
    at += extra + {12: 1, 13: 2, 14: 2}.get(head[2] & 0x0F, 0)
    if at >= len(head) or crc8(head[:at]) != head[at]:
        return None
    start = coded if head[1] & 1 else coded * block
    return start + size


def _flac_block(code: int) -> int:
    if code == 1:
        return 192
    return 576 << code - 2 if code < 6 else 256 << code - 8


def _coded_number(head: bytes) -> tuple[int, int]:
    """A number in the way of UTF-8, and how many bytes it takes."""
    first = head[4]
    if first < 0x80:
        return first, 1
    width = 8 - (first ^ 0xFF).bit_length()
    value = first & (0x7F >> width)
    for byte in head[5 : 4 + width]:
        value = value << 6 | byte & 0x3F
    return value, width


# ---------------------------------------------------------------- MP3

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Samples a second by the version bits."""
_KBITS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By MPEG-1 or later, and by the layer bits."""
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"3DI", b"\0")


class _Frame(NamedTuple):
    size: int
    seconds: float


def mp3_seconds(data: bytes) -> float:
    """The length of an MP3 in seconds."""
    at = _after_tag(data)
    seconds = 0.0
    while at + 4 <= len(data) and not data.startswith(_TAGS, at):
        frame = _mp3_frame(data[at : at + 4])
        if frame is None:
            raise MediaFault(DAMAGED if seconds else "it holds no sound; attach another recording")
        if at + frame.size > len(data):
            raise MediaFault(CUT)
        at += frame.size
        seconds += frame.seconds
    return seconds


def _after_tag(data: bytes) -> int:
    if not data.startswith(b"ID3"):
        return 0
    if len(data) < 10:
        raise MediaFault(CUT)
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    at = 10 + size + (10 if data[5] & 0x10 else 0)
    while data[at : at + 1] == b"\0":
        at += 1
    if at >= len(data):
        raise MediaFault(CUT)
    return at


def _mp3_frame(head: bytes) -> _Frame | None:
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or version == 1 or not layer:
        return None
    if kbits in (0, 15) or rate == 3:
        return None
    speed = _KBITS[version == 3, layer][kbits - 1] * 1000
    samples_a_second = _RATES[version][rate]
    if layer == 3:
        size = (12 * speed // samples_a_second + padding) * 4
        return _Frame(size, 384 / samples_a_second)
    samples = 576 if layer == 1 and version != 3 else 1152
    return _Frame(samples // 8 * speed // samples_a_second + padding, samples / samples_a_second)
