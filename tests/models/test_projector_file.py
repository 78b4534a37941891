"""A projector file is understood, or refused with one sentence that names it."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from tests.projectors import write_projector

from gemma_chat.errors import ModelLoadError
from gemma_chat.models.projector_file import check_projector_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mmproj.gguf"


def sentence(path: Path) -> str:
    with pytest.raises(ModelLoadError) as error:
        check_projector_file(path)
    assert str(path) in str(error.value)
    return str(error.value)


def bare(path: Path, **keys: object) -> Path:
    """A projector's head with one tensor, its keys replaced by `keys` (dots as `__`)."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    numbers = {
        "embedding_length": 16,
        "attention.head_count": 2,
        "block_count": 2,
        "image_size": 64,
        "patch_size": 8,
    }
    for name, value in (numbers | {k.replace("__", "."): v for k, v in keys.items()}).items():
        if isinstance(value, int):
            writer.add_uint32(f"clip.vision.{name}", value)
        elif isinstance(value, str):
            writer.add_string(f"clip.vision.{name}", value)
    writer.add_tensor("v.patch_embd.bias", np.zeros(4, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_projector_says_what_it_takes_and_for_which_width(file: Path) -> None:
    header = check_projector_file(write_projector(file, 640, audio=True))
    assert header.modalities == ("image", "audio")
    assert header.width == 640
    assert 0 < header.tensor_bytes < file.stat().st_size


def test_the_width_of_a_llava_projector_is_not_in_its_head(file: Path) -> None:
    assert check_projector_file(bare(file, projector_type="mlp", projection_dim=768)).width == 0
    assert (
        check_projector_file(bare(file, projector_type="gemma3", projection_dim=768)).width == 768
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patch_size", 0),
        ("image_size", 0),
        ("attention__head_count", 0),
        ("embedding_length", 2**31),
        ("block_count", "two"),
    ],
)
def test_numbers_that_would_end_the_process_are_refused(
    file: Path, key: str, value: object
) -> None:
    assert f"clip.vision.{key.replace('__', '.')} is {value!r}" in sentence(
        bare(file, **{key: value})
    )


def test_a_projector_without_blocks_needs_no_heads(file: Path) -> None:
    check_projector_file(bare(file, block_count=0, attention__head_count=0))


def test_a_cut_projector_is_refused_wherever_it_is_cut(file: Path) -> None:
    whole = write_projector(file, 64).read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        file.write_bytes(whole[:length])
        sentence(file)


def test_a_model_is_no_projector(file: Path) -> None:
    assert "'llama'" in sentence(write_projector(file, 64, architecture="llama"))
