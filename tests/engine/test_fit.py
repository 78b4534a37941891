"""A model that does not fit is refused before it is loaded, with what would fit instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine.fit import KV_BYTES, KvShape, check_fit
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.errors import ModelLoadError

GIB = 1024**3
SHAPE = KvShape(32, 0, 0, 8, 128, 128)
WINDOWED = KvShape(18, 15, 512, 1, 256, 256)


def fit(available: int, context_size: int = 8192, weights: int = 4 * GIB) -> None:
    check_fit(
        "model.gguf",
        SHAPE,
        weights=weights,
        states=0,
        context_size=context_size,
        kv_type="f16",
        streams=2,
        available=available,
    )


def test_the_cache_of_a_model_without_a_window_is_layers_times_positions() -> None:
    assert SHAPE.bytes(8192, "f16", 2) == 2 * 32 * 8192 * 8 * 256 * 2


def test_window_layers_keep_only_their_window() -> None:
    assert WINDOWED.bytes(8192, "f16", 1) == (3 * 8192 + 15 * 768) * 512 * 2


def test_what_fits_passes() -> None:
    fit(available=8 * GIB)


def test_a_smaller_context_is_advised_and_does_fit() -> None:
    with pytest.raises(ModelLoadError, match=r"model\.gguf does not fit") as refused:
        fit(available=6 * GIB)
    words = str(refused.value).split()
    fit(available=6 * GIB, context_size=int(words[words.index("of", words.index("A")) + 1]))


def test_where_no_context_would_do_another_model_is_advised() -> None:
    with pytest.raises(ModelLoadError, match="smaller model"):
        fit(available=2 * GIB)


@given(
    st.integers(64, 200_000), st.integers(0, 40), st.integers(1, 64), st.sampled_from([*KV_BYTES])
)
def test_a_longer_context_never_takes_less(
    size: int, window_layers: int, layers: int, kv_type: str
) -> None:
    shape = KvShape(layers + window_layers, window_layers, 512, 4, 64, 64)
    assert shape.bytes(size, kv_type, 2) <= shape.bytes(size + 1, kv_type, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
def test_the_estimate_is_what_llama_cpp_takes(short_model_path: Path, kv_type: str) -> None:
    engine = LlamaEngine.load(
        short_model_path,
        EngineOptions(context_size=2048, kv_type=kv_type),  # type: ignore[arg-type]
    )
    figures = engine.figures()
    engine.close()
    assert figures.kv_resident_bytes == pytest.approx(engine.need.kv, rel=0.02)


def test_loading_refuses_what_does_not_fit(
    smollm2_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemma_chat.engine.llama.available_memory", lambda: 400 * 1024**2)
    with pytest.raises(ModelLoadError, match="context_size of"):
        LlamaEngine.load(smollm2_path, EngineOptions())
