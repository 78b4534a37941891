"""The projector that is set is taken, or the one that lies beside the model and fits."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from tests.projectors import write_projector

from gemma_chat.models.projector_choice import choose_projector


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose embeddings have 64 numbers."""
    file = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(file, "gemma3")
    writer.add_embedding_length(64)
    writer.add_tensor("blk.0.weight", np.ones((3, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_the_one_that_fits_is_found_beside_the_model(model: Path) -> None:
    assert choose_projector(model, "") is None
    write_projector(model.with_name("mmproj-large.gguf"), 2560)
    model.with_name("mmproj-broken.gguf").write_bytes(b"GGUF")
    assert choose_projector(model, "") is None
    fitting = write_projector(model.with_name("gemma-mmproj-F16.gguf"), 64)
    assert choose_projector(model, "") == fitting
    assert choose_projector(model, "none") is None


def test_between_two_that_fit_nobody_chooses(model: Path) -> None:
    for name in ("mmproj-a.gguf", "mmproj-b.gguf"):
        write_projector(model.with_name(name), 64)
    assert choose_projector(model, "") is None


def test_the_one_that_is_set_is_taken_whatever_lies_there(model: Path) -> None:
    write_projector(model.with_name("mmproj-a.gguf"), 64)
    assert choose_projector(model, "~/eyes.gguf") == Path.home() / "eyes.gguf"
    model.unlink()
    assert choose_projector(model, "") is None
