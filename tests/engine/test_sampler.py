"""The choice from a shortlist is llama.cpp's own choice from the whole vocabulary."""

from __future__ import annotations

import ctypes
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import run_to_end, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.grammar import CANDIDATE, candidate_array
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.sampler import Sampler
from gemma_chat.engine.shortlist import Logits
from gemma_chat.engine.vocabulary import Vocabulary

SIZE = 3_000
CONTEXT = [number * 7 % SIZE for number in range(200)]
SHORT = [
    {"temperature": 0.8, "top_k": 40},
    {"temperature": 1.0, "top_k": 64, "top_p": 0.95},
    {"temperature": 1.5, "top_k": 256, "min_p": 0.05},
    {"temperature": 0.7, "top_k": 2, "typical_p": 0.9},
    {"temperature": 1.0, "top_k": 20, "xtc_probability": 0.5, "xtc_threshold": 0.05},
    {"temperature": 0.9, "top_k": 40, "repeat_penalty": 1.3, "top_p": 0.9},
    {"temperature": 0.9, "top_k": 8, "presence_penalty": 1.5, "frequency_penalty": 0.5},
    {"temperature": 0.0, "repeat_penalty": 1.2, "repeat_last_n": 16},
    {"temperature": 0.0, "frequency_penalty": 2.0, "repeat_last_n": -1},
]
LONG = [
    {"temperature": 1.0, "top_k": 0, "top_p": 0.9},
    {"temperature": 1.0, "top_k": 300},
    {"temperature": 1.0, "top_k": 40, "repeat_penalty": 0.5},
    {"temperature": 1.0, "top_k": 40, "presence_penalty": -1.0},
]


class FedVocabulary:
    """As much of a vocabulary as a sampler without a grammar asks for."""

    size = SIZE
    handle = None

    def tokenize(self, text: bytes) -> list[int]:
        """A token for each byte."""
        return list(text)


class FedSampler(Sampler):
    """A sampler that is given logits in place of a native context's."""

    def __init__(self, chosen: SamplingSettings) -> None:
        super().__init__(cast(Vocabulary, FedVocabulary()), chosen, CONTEXT)
        self.from_all = 0

    def _logits(self, context: Any, index: int) -> Logits:
        logits: Logits = context
        return logits

    def _sample_from_all(self, context: Any, index: int) -> int:
        self.from_all += 1
        candidates = np.zeros(SIZE, CANDIDATE)
        candidates["id"] = np.arange(SIZE)
        candidates["logit"] = context
        array = candidate_array(candidates)
        self._llama.llama_sampler_apply(self._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        self._llama.llama_sampler_accept(self._chain, token)
        return token


def tokens(chosen: dict[str, float], logits: list[Logits], *, short: bool) -> list[int | None]:
    sampler = FedSampler(SamplingSettings(**chosen))  # type: ignore[arg-type]
    if not short:
        sampler._shortlist = None
    found = [sampler.sample(each) for each in logits]
    sampler.close()
    return found


def drawn(seed: int, steps: int, *, spread: float = 4.0, digits: int = 6) -> list[Logits]:
    """Logits of some steps, in part alike from step to step as a model's are."""
    chance = np.random.default_rng(seed)
    usual = chance.standard_normal(SIZE) * spread
    return [
        (usual + chance.standard_normal(SIZE)).round(digits).astype(np.float32)
        for _ in range(steps)
    ]


@pytest.mark.parametrize("chosen", [*SHORT, *LONG], ids=str)
@given(st.integers(0, 100_000), st.integers(0, 2**32 - 2), st.sampled_from([0.2, 4.0, 20.0]))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_gives_the_same_tokens(
    chosen: dict[str, float], logits_seed: int, seed: int, spread: float
) -> None:
    logits = drawn(logits_seed, 12, spread=spread)
    chosen = {**chosen, "random_seed": seed}
    assert tokens(chosen, logits, short=True) == tokens(chosen, logits, short=False)


@pytest.mark.parametrize("chosen", SHORT, ids=str)
@given(st.integers(0, 100_000), st.integers(0, 2))
@settings(max_examples=15, deadline=None)
def test_equal_logits_are_ordered_as_llama_cpp_orders_them(
    chosen: dict[str, float], logits_seed: int, digits: int
) -> None:
    logits = drawn(logits_seed, 12, digits=digits)
    assert tokens(chosen, logits, short=True) == tokens(chosen, logits, short=False)


@pytest.mark.parametrize("chosen", SHORT, ids=str)
def test_the_whole_vocabulary_is_hardly_ever_needed(chosen: dict[str, float]) -> None:
    sampler = FedSampler(SamplingSettings(**chosen))  # type: ignore[arg-type]
    for logits in drawn(5, 40):
        sampler.sample(logits)
    sampler.close()
    assert sampler.from_all <= 2


def test_penalties_that_push_all_the_likeliest_out_are_given_the_whole_vocabulary() -> None:
    chosen = {"temperature": 0.0, "presence_penalty": 2.0, "repeat_last_n": -1}
    logits = np.linspace(0, 0.5, SIZE).astype(np.float32)
    logits[CONTEXT] += 1
    steps = [logits] * 10
    assert tokens(chosen, steps, short=True) == tokens(chosen, steps, short=False)
    assert not set(tokens(chosen, steps, short=True)) & set(CONTEXT)


@pytest.mark.parametrize(
    "chosen",
    [
        {"temperature": 0.8, "top_k": 40, "top_p": 0.95},
        {"temperature": 0.8, "top_k": 40, "repeat_penalty": 1.3, "dry_multiplier": 0.8},
        {"temperature": 0.0, "dry_multiplier": 1.5, "dry_allowed_length": 1},
    ],
    ids=str,
)
def test_turns_of_real_models_are_the_same(
    engine: LlamaEngine, chosen: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def turn() -> str:
        prompt = engine.prompt(talk("Say the word sea again and again."))
        asked = SamplingSettings(max_output_tokens=24, random_seed=5, **chosen)  # type: ignore[arg-type]
        return run_to_end(engine.begin(engine.open_sequence(), prompt, asked, "foreground"))

    short = turn()
    monkeypatch.setattr(Sampler, "_sample_from_few", lambda *_: None)
    assert turn() == short
