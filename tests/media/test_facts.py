"""A picture or recording is understood from its first bytes, or refused with one sentence."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.projectors import picture, tone

from gemma_chat.errors import ModalityError
from gemma_chat.media.crc import crc8, crc16
from gemma_chat.media.facts import facts_of
from gemma_chat.media.limits import MOST_BYTES
from gemma_chat.media.samples import dot, silence


def sentence(data: bytes, name: str = "cat.png") -> str:
    """The sentence with which a file is refused, which names it and ends with a remedy."""
    with pytest.raises(ModalityError) as error:
        facts_of(data, name)
    assert str(error.value).startswith(name)
    return str(error.value)


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG of any size, with nothing behind."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk


def animated(form: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:])
    return file.getvalue()


def flac(samples: int = 4096, *, promised: int | None = None) -> bytes:
    """A FLAC of silence in frames of 4096 samples at 8000 a second."""
    rate, bits, channels = 8000, 16, 1
    packed = rate << 44 | channels - 1 << 41 | bits - 1 << 36 | (promised or samples)
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    data = b"fLaC\x80" + len(info).to_bytes(3, "big") + info
    for number in range(samples // 4096):
        head = bytes((0xFF, 0xF8, 0xC0, 0x08, number))
        frame = head + bytes((crc8(head),)) + b"\0\0\0"
        data += frame + crc16(frame).to_bytes(2, "big")
    return data


def mp3(frames: int) -> bytes:
    """Frames of MPEG-1 layer 3, 128 kbit/s at 44,100 samples a second."""
    return (b"\xff\xfb\x90\x00" + bytes(413)) * frames


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_tells_its_size_without_being_decoded(form: str) -> None:
    facts = facts_of(picture(1, form=form, size=(40, 24)), "cat")
    assert (facts.kind, facts.format.upper(), facts.extent) == ("image", form, "40×24")


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0"}], ids=str)
def test_the_other_kinds_of_webp_tell_their_size(options: dict[str, object]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 7)).save(file, "WEBP", **options)  # type: ignore[arg-type]
    assert facts_of(file.getvalue(), "cat").extent == "300×7"


def test_a_recording_tells_its_length() -> None:
    assert facts_of(tone(440, 61), "a.wav").extent == "1:01"
    assert facts_of(silence(), "a.wav").seconds == pytest.approx(0.1)
    assert facts_of(flac(40960), "a.flac").seconds == pytest.approx(5.12)
    assert facts_of(mp3(100), "a.mp3").seconds == pytest.approx(100 * 1152 / 44_100)
    tagged = b"ID3\x04\0\0\0\0\0\x05cover" + mp3(10) + b"TAG" + bytes(125)
    assert facts_of(tagged, "a.mp3").seconds == pytest.approx(10 * 1152 / 44_100)


def test_the_same_bytes_have_the_same_digest_whatever_their_name() -> None:
    assert (
        facts_of(dot(), "a").digest
        == facts_of(dot(), "b").digest
        != facts_of(silence(), "a").digest
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"My cat is called Tom.", "is not a PNG, JPEG, WebP, WAV, MP3 or FLAC file"),
        (b"GIF89a" + bytes(50), "is not a PNG"),
        (png(20_000, 20_000), "has 20,000×20,000 pixels; at most 50 million"),
        (png(2**32 - 1, 1), "16,384 on a side"),
        (png(0, 10), "no pixels"),
        (png(10, 10)[:20], "ends before its end"),
        (b"\x89PNG\r\n\x1a\n" + b"nonsense" * 4, "damaged"),
        (animated("PNG"), "animated"),
        (animated("WEBP"), "animated"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "ends before its end"),
        (b"\xff\xd8\xff\xda" + bytes(50), "damaged"),
        (b"RIFF\x10\0\0\0WEBPVP8X", "ends before its end"),
        (b"RIFF\x10\0\0\0WEBPnone" + bytes(9), "damaged"),
        (tone(440)[:-100], "ends before its end"),
        (b"RIFF\x10\0\0\0WAVE", "ends before its end"),
        (b"RIFF\x10\0\0\0WAVEdata\0\0\0\0", "damaged"),
        (b"RIFF\x10\0\0\0WAVEfmt \x10\0\0\0" + bytes(16), "damaged"),
        (tone(440, 0), "holds no sound"),
        (flac(40960)[:-3], "ends before its end"),
        (flac(40960, promised=400_000), "ends before its end"),
        (flac(40960)[:40], "ends before its end"),
        (flac(4096, promised=2**36 - 1), "ends before its end"),
        (mp3(10)[:-1], "ends before its end"),
        (mp3(40_000)[:MOST_BYTES], "lasts 1,0"),
        (mp3(3) + b"no frame here", "damaged"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f", "ends before its end"),
        (b"\xff\xfb\xf0\x00" + bytes(413), "holds no sound"),
        (dot() + bytes(MOST_BYTES), "at most 20 MB are taken"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    assert reason in sentence(data)


def test_a_long_recording_is_refused_from_its_head() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(1)
        target.setframerate(100)
        target.writeframes(bytes(100 * 601))
    assert "lasts 601 seconds; at most 600 are taken" in sentence(file.getvalue())


@given(
    st.sampled_from([dot(), silence(), mp3(4), flac(8192), picture(1, form="JPEG")]),
    st.integers(0, 2**20),
    st.integers(0, 2**20),
    st.binary(max_size=8),
)
def test_no_damage_is_worse_than_a_sentence(data: bytes, at: int, end: int, other: bytes) -> None:
    at %= len(data)
    damaged = data[:at] + other + data[at + len(other) : max(at, end % len(data))]
    with suppress(ModalityError):
        facts_of(damaged, "cat.png")
