"""A model file is understood, or refused with one sentence; nothing else ever happens."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.errors import ModelLoadError
from gemma_chat.models import gguf_bytes, gguf_file
from gemma_chat.models.gguf_header import GgufHeader, check_model_file
from gemma_chat.models.tensor_types import FILE_TYPES, TENSOR_TYPES

_KEY_COUNT_AT = 16
_TENSOR_COUNT_AT = 8


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def write_model(
    path: Path,
    *,
    architecture: str = "gemma3",
    fill: Callable[[gguf.GGUFWriter], None] = lambda writer: None,
    tensors: int = 2,
    alignment: int | None = None,
    endianess: gguf.GGUFEndian = gguf.GGUFEndian.LITTLE,
) -> None:
    """Write a small whole GGUF file."""
    writer = gguf.GGUFWriter(path, architecture, endianess=endianess)
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    fill(writer)
    for number in range(tensors):
        writer.add_tensor(f"blk.{number}.weight", np.ones((3, 64), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def everything(writer: gguf.GGUFWriter) -> None:
    """A value of every kind, among them what the header reports."""
    writer.add_name("Gemma 3 1b It")
    writer.add_size_label("1B")
    writer.add_context_length(32768)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_chat_template("{{ messages }}")
    writer.add_array("tokenizer.ggml.tokens", ["<pad>", "ä", ""])
    writer.add_array("tokenizer.ggml.scores", [0.0, 1.0, 2.0])
    writer.add_array("tokenizer.ggml.token_type", [1, 2, 3])
    writer.add_array("nested", [[1, 2], [3]])
    writer.add_bool("a.bool", val=True)
    writer.add_int8("an.int8", -1)
    writer.add_uint64("a.uint64", 2**64 - 1)
    writer.add_float64("a.float64", 0.5)


def sentence(path: Path) -> str:
    """The sentence with which a file is refused, which names it."""
    with pytest.raises(ModelLoadError) as error:
        check_model_file(path)
    assert str(path) in str(error.value)
    return str(error.value)


def patched(path: Path, at: int, layout: str, value: int) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, at, value)
    path.write_bytes(content)


# ---------------------------------------------------------------- whole files


def test_a_whole_file_says_what_it_is(file: Path) -> None:
    write_model(file, fill=everything)
    assert check_model_file(file) == GgufHeader(
        path=file,
        version=3,
        architecture="gemma3",
        name="Gemma 3 1b It",
        size_label="1B",
        quantisation="Q4_K_M",
        context_length=32768,
        has_chat_template=True,
        parameters=2 * 3 * 64,
        tensor_count=2,
        tensor_bytes=2 * 3 * 64 * 4,
        file_bytes=file.stat().st_size,
    )


def test_a_file_that_says_little_is_fine(file: Path) -> None:
    write_model(file)
    header = check_model_file(file)
    assert (header.name, header.size_label, header.quantisation) == ("", "", "")
    assert header.context_length == 0
    assert not header.has_chat_template


def test_the_padding_behind_the_last_tensor_may_be_missing(file: Path) -> None:
    write_model(file, tensors=1, alignment=1024)
    whole = check_model_file(file)
    content = file.read_bytes()
    end = content.rindex(np.float32(1).tobytes()) + 4
    assert end < len(content)
    file.write_bytes(content[:end])
    assert check_model_file(file).tensor_bytes == whole.tensor_bytes == 3 * 64 * 4


def test_the_model_on_board_is_whole(smollm2_path: Path) -> None:
    header = check_model_file(smollm2_path)
    assert (header.architecture, header.quantisation) == ("llama", "Q4_1")
    assert header.context_length == 8192
    assert header.has_chat_template
    assert header.tensor_count == 272


def test_gemma_3_is_whole(gemma3_path: Path) -> None:
    header = check_model_file(gemma3_path)
    assert header.architecture == "gemma3"
    assert header.context_length == 32768
    assert not header.has_chat_template


def test_the_tables_are_those_of_ggml() -> None:
    for kind, (weights, block) in gguf.GGML_QUANT_SIZES.items():
        assert TENSOR_TYPES[kind] == (kind.name, weights, block)
    assert len(TENSOR_TYPES) == len(gguf.GGML_QUANT_SIZES)
    for file_type in gguf.LlamaFileType:
        name = file_type.name.removeprefix("MOSTLY_").removeprefix("ALL_").removesuffix("_MOE")
        if name != "GUESSED":
            assert FILE_TYPES[file_type] == name


def test_a_tensor_of_a_type_of_the_future_is_left_to_llama_cpp(file: Path) -> None:
    write_model(file, tensors=1)
    content = file.read_bytes()
    at = content.index(b"blk.0.weight") + len(b"blk.0.weight") + 4 + 2 * 8
    patched(file, at, "<I", 4000)
    assert check_model_file(file).tensor_count == 1


# ---------------------------------------------------------------- not a file


def test_a_missing_file_is_named(file: Path) -> None:
    assert sentence(file).startswith("There is no model file")
    assert "There is no model file" in sentence(file / "below")


def test_a_folder_is_named(tmp_path: Path) -> None:
    assert "is a folder. Name a GGUF file." in sentence(tmp_path)


def test_a_pipe_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    assert "is a device or a pipe" in sentence(file)


def test_an_endless_device_is_not_read() -> None:
    assert "is a device or a pipe" in sentence(Path("/dev/zero"))


def test_a_file_that_may_not_be_read_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(gguf_file.os, "open", refuse)
    assert "may not be read by you" in sentence(file)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_path_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(ModelLoadError, match="cannot be opened"):
        check_model_file(Path(name))


def test_a_link_to_itself_is_refused(file: Path) -> None:
    file.symlink_to(file)
    assert "cannot be opened" in sentence(file)


def test_a_disk_that_fails_while_reading_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(file)

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(gguf_bytes.GgufBytes, "u64", fail)
    assert "cannot be read (Input/output error)" in sentence(file)


# ---------------------------------------------------------------- other files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"G", "it looks like text"),
        (b"Dear diary,\n", "it looks like text"),
        ("Grüße".encode() * 100, "it looks like text"),
        (b"\x00" * 4096, "zero bytes, as an unfinished download"),
        (b"\xfe\xed\xfa\xce\x80\x81" * 200, "binary data"),
        (b"PK\x03\x04" + bytes(60), "a zip archive or a PyTorch checkpoint"),
        (b"\x1f\x8b\x08" + bytes(60), "a gzip archive"),
        (b"<!DOCTYPE html>\n<html>", "a web page"),
        (b"\n  <html lang='en'>", "a web page"),
        (b'<?xml version="1.0"?><Error/>', "an XML document"),
        (b'{"error": "gated"}', "a JSON document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (struct.pack("<Q", 30) + b'{"__metadata__":{}}           ', "a safetensors file"),
        (b"\x80\x04\x95" + bytes(60), "a Python pickle"),
        (b"tjgg\x03\x00\x00\x00", "a GGML file of 2023"),
        (b"FUGG" + bytes(60), "bytes swapped"),
        (b"\x7fELF" + bytes(60), "a program"),
    ],
)
def test_a_file_of_another_kind_is_recognised(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    assert words in sentence(file)


def test_a_file_for_big_endian_machines_is_recognised(file: Path) -> None:
    write_model(file, endianess=gguf.GGUFEndian.BIG)
    assert "for big-endian machines" in sentence(file)


@pytest.mark.parametrize("version", [0, 1, 4, 2**31])
def test_another_version_is_named_with_the_supported_ones(file: Path, version: int) -> None:
    write_model(file)
    patched(file, 4, "<I", version)
    assert f"of version {version}; versions 2 and 3 are supported" in sentence(file)


@pytest.mark.parametrize(
    ("architecture", "fill", "words"),
    [
        ("clip", lambda writer: None, "is the projector"),
        ("gemma3", lambda writer: writer.add_type("adapter"), "is a LoRA adapter"),
        ("gemma3", lambda writer: writer.add_uint16("split.no", 1), "is part 2 of a model"),
        ("", lambda writer: None, "does not name its architecture"),
    ],
)
def test_a_whole_file_that_is_no_chat_model_is_refused(
    file: Path, architecture: str, fill: Callable[[gguf.GGUFWriter], None], words: str
) -> None:
    write_model(file, architecture=architecture, fill=fill)
    assert words in sentence(file)


def test_a_vocabulary_without_weights_is_refused(file: Path) -> None:
    write_model(file, tensors=0)
    assert "holds no weights" in sentence(file)


# ---------------------------------------------------------------- damaged and hostile files


def test_a_file_cut_anywhere_is_refused(file: Path) -> None:
    write_model(file, fill=everything, tensors=1)
    content = file.read_bytes()
    needed = content.rindex(np.float32(1).tobytes()) + 4
    for length in range(1, needed):
        file.write_bytes(content[:length])
        words = sentence(file)
        assert "is cut short" in words or length < 4


def test_a_real_model_cut_in_half_says_how_much_is_there(file: Path, smollm2_path: Path) -> None:
    size = smollm2_path.stat().st_size
    with smollm2_path.open("rb") as source:
        file.write_bytes(source.read(2_000_000))
    os.truncate(file, size // 2)
    assert f"is cut short: {size // 2:,} of {size:,} bytes are there" in sentence(file)


@pytest.mark.parametrize("count", [65_537, 2**32, 2**64 - 1])
@pytest.mark.parametrize(("at", "what"), [(_TENSOR_COUNT_AT, "tensors"), (_KEY_COUNT_AT, "keys")])
def test_an_absurd_count_is_refused(file: Path, count: int, at: int, what: str) -> None:
    write_model(file)
    patched(file, at, "<Q", count)
    assert f"it claims to hold {count:,} {what}" in sentence(file)


def head(keys: int, *parts: bytes, tensors: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, keys) + b"".join(parts)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (head(1, struct.pack("<Q", 2**63), bytes(20)), "a string of"),
        (head(1, string(b"k"), struct.pack("<I", 13), bytes(20)), "the unknown type 13"),
        (
            head(1, string(b"k"), struct.pack("<IIQ", 9, 13, 1), bytes(20)),
            "an array of the unknown type 13",
        ),
        (head(1, string(b"k"), struct.pack("<IIQ", 9, 8, 2**40), bytes(20)), "a list of"),
        (head(1, string(b"k"), struct.pack("<IIQ", 9, 9, 2**40), bytes(20)), "a list of"),
        (
            head(1, string(b"k"), struct.pack("<I", 9), struct.pack("<IQ", 9, 1) * 9, bytes(20)),
            "nested too deeply",
        ),
        (
            head(1, string(b"general.alignment"), struct.pack("<II", 4, 3)),
            "alignment is 3, which is not a power of two",
        ),
        (
            head(1, string(b"general.alignment"), struct.pack("<II", 4, 0)),
            "alignment is 0",
        ),
        (
            head(0, string(b"t"), struct.pack("<I", 5), bytes(60), tensors=1),
            "has 5 dimensions",
        ),
        (
            head(0, string(b"t"), struct.pack("<IQQIQ", 2, 2**32, 2**32, 0, 0), tensors=1),
            "impossible size",
        ),
        (
            head(0, string(b"t"), struct.pack("<IQIQ", 1, 32, 0, 7), tensors=1),
            "impossible size or place",
        ),
        (
            head(0, string(b"t"), struct.pack("<IQIQ", 1, 31, 2, 0), tensors=1),
            "are not whole blocks",
        ),
        (
            head(0, string(b"t"), struct.pack("<IQIQ", 1, 32, 0, 2**63), tensors=1),
            "impossible size or place",
        ),
    ],
)
def test_a_hostile_header_is_refused(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    assert words in sentence(file)


@pytest.mark.parametrize(("kind", "words"), [(8, "cut short"), (0, "larger than 128 MB")])
def test_a_huge_sparse_array_is_refused_without_reading_it_all(
    file: Path, kind: int, words: str
) -> None:
    count = 4_000_000 if kind == 8 else 2**36
    file.write_bytes(head(1, string(b"k"), struct.pack("<IIQ", 9, kind, count)))
    os.truncate(file, 2**20 if kind == 8 else 2**37)
    assert words in sentence(file)


_values = st.one_of(
    st.tuples(st.sampled_from([0, 1, 7]), st.binary(min_size=1, max_size=1)),
    st.tuples(st.sampled_from([4, 5, 6]), st.binary(min_size=4, max_size=4)),
    st.tuples(st.sampled_from([10, 11, 12]), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(8), st.binary(max_size=20).map(string)),
    st.tuples(st.just(9), st.binary(max_size=40)),
)
_keys = st.tuples(
    st.sampled_from([b"general.architecture", b"general.alignment", b"general.type", b"k"]),
    _values,
).map(lambda pair: string(pair[0]) + struct.pack("<I", pair[1][0]) + pair[1][1])
_tensors = st.tuples(
    st.binary(max_size=10),
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 64), max_size=5),
    st.integers(0, 45),
    st.integers(0, 2**64 - 1) | st.integers(0, 4).map(lambda n: n * 32),
).map(lambda t: string(t[0]) + struct.pack(f"<I{len(t[1])}QIQ", len(t[1]), *t[1], t[2], t[3]))


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.binary(max_size=600)
    | st.binary(max_size=600).map(lambda tail: b"GGUF\x03\0\0\0" + tail)
    | st.tuples(st.lists(_keys, max_size=4), st.lists(_tensors, max_size=4), st.binary()).map(
        lambda p: head(len(p[0]), *p[0], *p[1], p[2], tensors=len(p[1]))
    )
)
def test_no_bytes_at_all_raise_anything_but_a_model_load_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with suppress(ModelLoadError):
        assert check_model_file(file).file_bytes == len(content)


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_damage_to_a_real_file_raises_anything_but_a_model_load_error(
    file: Path, data: st.DataObject
) -> None:
    write_model(file, fill=everything)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    with suppress(ModelLoadError):
        assert check_model_file(file).file_bytes == len(content)
