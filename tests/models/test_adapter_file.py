"""An adapter file fits a model, or is refused with one sentence before llama.cpp sees it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.adapters import Fill, metadata, write_gguf

from gemma_chat.errors import AdapterError
from gemma_chat.models.adapter_file import check_adapter_file
from gemma_chat.models.gguf_file import Tensor

WEIGHTS = {
    "token_embd.weight": Tensor((64, 1000), 0),
    "output_norm.weight": Tensor((64,), 0),
    "blk.0.attn_q.weight": Tensor((64, 128), 0),
    "blk.0.ffn_up_exps.weight": Tensor((64, 32, 3), 0),
}
UNTIED = {**WEIGHTS, "output.weight": Tensor((64, 1000), 0)}
Q = "blk.0.attn_q.weight"


def ones(*shape: int, kind: type = np.float32) -> np.ndarray:
    return np.ones(shape, kind)


def pair(name: str = Q, a: tuple[int, ...] = (4, 64), b: tuple[int, ...] = (128, 4)) -> list:
    return [(f"{name}.lora_a", ones(*a)), (f"{name}.lora_b", ones(*b))]


def check(path: Path, weights: dict[str, Tensor] = WEIGHTS) -> None:
    check_adapter_file(path, "gemma3", weights)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pirate.gguf"


@pytest.mark.parametrize(
    ("tensors", "weights"),
    [
        (pair(), WEIGHTS),
        ([*pair(), ("blk.0.attn_norm.weight", ones(64))], WEIGHTS),
        (pair("blk.0.ffn_up_exps.weight", (3, 4, 64), (3, 32, 4)), WEIGHTS),
        (pair("token_embd.weight", (1000, 4), (64, 4)), UNTIED),
        ([(n, t.astype(np.float16)) for n, t in pair()], WEIGHTS),
    ],
    ids=["plain", "with a norm", "experts", "embedding", "half precision"],
)
def test_an_adapter_that_fits_is_accepted(
    file: Path, tensors: list, weights: dict[str, Tensor]
) -> None:
    check(write_gguf(file, "gemma3", metadata, tensors), weights)


def said(**other: object) -> Fill:
    """The metadata of an adapter with something else in it."""

    def fill(writer: gguf.GGUFWriter) -> None:
        values = {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 8.0}
        for key, value in {**values, **other}.items():
            if isinstance(value, str):
                writer.add_string(key, value)
            elif isinstance(value, list):
                writer.add_array(key, value)
            elif isinstance(value, int):
                writer.add_uint32(key, value)
            elif isinstance(value, float):
                writer.add_float32(key, value)

    return fill


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (said(**{"general.type": "model"}), "is not a LoRA adapter"),
        (said(**{"general.type": 7}), "is not a LoRA adapter"),
        (said(**{"adapter.type": "ia3"}), "is not a LoRA adapter"),
        (said(**{"adapter.lora.alpha": 8}), "its alpha is not a number"),
        (said(**{"adapter.lora.alpha": "x"}), "its alpha is not a number"),
        (said(**{"adapter.lora.alpha": [1.0]}), "its alpha is not a number"),
        (said(**{"adapter.lora.alpha": float("nan")}), "its alpha is not a number"),
        (said(**{"adapter.alora.invocation_tokens": [1, 2]}), "activated LoRA"),
    ],
)
def test_metadata_that_would_end_the_process_is_refused(file: Path, fill: Fill, words: str) -> None:
    write_gguf(file, "gemma3", fill, pair())
    with pytest.raises(AdapterError, match=words) as caught:
        check(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([], "changes nothing"),
        (pair()[:1], "one of the two matrices .* is missing"),
        (pair("blk.9.attn_q.weight"), "which this model does not have"),
        (pair(a=(4, 32)), r"for blk.0.attn_q.weight of 64 × 128 it has matrices of 32 × 4"),
        (pair(b=(64, 4)), "does not fit"),
        (pair(b=(128, 3)), "does not fit"),
        (pair(a=(2, 4, 64)), "does not fit"),
        (pair("output_norm.weight", (4, 64), (1, 4)), "does not fit"),
        (pair("token_embd.weight", (1000, 4), (64, 4)), "the output layer too"),
        ([(n, t.astype(np.int32)) for n, t in pair()], "a type that cannot be computed with"),
        ([(n, t.astype(np.float64)) for n, t in pair()], "a type that cannot be computed with"),
        ([*pair(), ("lora_magnitude", ones(3))], "no part of a LoRA adapter"),
        (pair("blk.0.lora_a.lora_b"), "is damaged|does not have"),
        (pair("x" * 80), "is damaged"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(file: Path, tensors: list, words: str) -> None:
    write_gguf(file, "gemma3", metadata, tensors)
    with pytest.raises(AdapterError, match=words) as caught:
        check(file)
    assert str(file) in str(caught.value)


def test_an_adapter_of_another_architecture_is_refused(file: Path) -> None:
    write_gguf(file, "llama", metadata, pair())
    with pytest.raises(AdapterError, match="for models of the architecture 'llama'; this one is"):
        check(file)


def test_what_is_no_file_or_no_gguf_is_named(file: Path) -> None:
    with pytest.raises(AdapterError, match="There is no LoRA adapter"):
        check(file)
    with pytest.raises(AdapterError, match="is a folder"):
        check(file.parent)
    file.write_bytes(b"PK\x03\x04" * 100)
    with pytest.raises(AdapterError, match="is not a GGUF file"):
        check(file)
    os.mkfifo(file.with_name("pipe"))
    with pytest.raises(AdapterError, match="is a device or a pipe"):
        check(file.with_name("pipe"))


@examples(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2_500), st.integers(0, 255), st.booleans())
def test_a_cut_or_changed_file_is_refused_or_understood_and_nothing_else(
    file: Path, at: int, byte: int, cut: bool
) -> None:
    write_gguf(file, "gemma3", metadata, pair())
    content = bytearray(file.read_bytes())
    if cut:
        del content[at:]
    else:
        content[at] = byte
    file.write_bytes(content)
    if cut:
        with pytest.raises(AdapterError):
            check(file)
    else:
        with suppress(AdapterError):
            check(file)
