"""Loading a model: progress, cancelling, and sentences for whatever is wrong with the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest

from gemma_chat.engine.interface import EngineOptions, LoadControl
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.errors import LoadCancelledError, ModelLoadError, SettingsError

SMALL = EngineOptions(context_size=256)


def test_progress_reaches_one(smollm2_path: Path) -> None:
    control = LoadControl()
    engine = LlamaEngine.load(smollm2_path, SMALL, control)
    engine.close()
    assert control.progress == 1.0


def test_loading_can_be_cancelled(smollm2_path: Path) -> None:
    with pytest.raises(LoadCancelledError, match=smollm2_path.name):
        LlamaEngine.load(smollm2_path, SMALL, LoadControl(cancelled=True))


def test_a_file_whose_name_is_no_text_can_be_loaded(smollm2_path: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff.gguf")
    odd.symlink_to(smollm2_path)
    LlamaEngine.load(odd, SMALL).close()


def test_closing_twice_frees_once(smollm2_path: Path) -> None:
    engine = LlamaEngine.load(smollm2_path, SMALL)
    engine.close()
    engine.close()


def test_a_second_model_can_be_loaded_beside_the_first(smollm2_path: Path) -> None:
    first = LlamaEngine.load(smollm2_path, SMALL)
    second = LlamaEngine.load(smollm2_path, SMALL)
    first.close()
    assert second.count_tokens("still there") > 0
    second.close()


@pytest.mark.parametrize("size", [-1, 1, 63, 10_000_000])
def test_a_context_size_that_is_not_allowed_names_the_range(smollm2_path: Path, size: int) -> None:
    with pytest.raises(SettingsError, match=r"64 to 8192"):
        LlamaEngine.load(smollm2_path, EngineOptions(context_size=size))


def test_a_missing_file_and_a_text_file_are_named(tmp_path: Path) -> None:
    text = tmp_path / "notes.gguf"
    text.write_text("Dear diary")
    for path in (tmp_path / "nowhere.gguf", text, tmp_path):
        with pytest.raises(ModelLoadError, match=path.name):
            LlamaEngine.load(path, SMALL)


def test_a_file_cut_in_half_is_refused(smollm2_path: Path, tmp_path: Path) -> None:
    cut = tmp_path / "half.gguf"
    with smollm2_path.open("rb") as source:
        cut.write_bytes(source.read(smollm2_path.stat().st_size // 2))
    with pytest.raises(ModelLoadError, match=r"half\.gguf"):
        LlamaEngine.load(cut, SMALL)


def test_an_architecture_that_llama_cpp_does_not_know_is_named(tmp_path: Path) -> None:
    path = tmp_path / "future.gguf"
    writer = gguf.GGUFWriter(path, "architecture-of-2050")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.zeros((8, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelLoadError, match="architecture-of-2050"):
        LlamaEngine.load(path, SMALL)


def test_llama_cpp_never_writes_to_the_terminal(smollm2_path: Path) -> None:
    script = f"""
import logging
logging.getLogger().addHandler(logging.NullHandler())
from pathlib import Path
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.engine.llama import LlamaEngine
LlamaEngine.load(Path({str(smollm2_path)!r}), EngineOptions(context_size=256)).close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
