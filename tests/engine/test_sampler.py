"""The choice from a shortlist is llama.cpp's own choice from the whole vocabulary."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import run_to_end, talk

from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.candidates import Candidates
from gemma_chat.engine.grammar import Grammar
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.sampler import Sampler
from gemma_chat.engine.shortlist import Logits
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.errors import SettingsError

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
    {"temperature": 0.0, "logit_bias": (LogitBias(7, 9.0), LogitBias(8, None))},
    {"temperature": 0.9, "top_k": 20, "logit_bias": (LogitBias(7, 9.0), LogitBias("ab", None))},
    {"temperature": 0.9, "top_k": 9, "repeat_penalty": 1.3, "logit_bias": (LogitBias(5, 15.0),)},
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
        candidates = Candidates(1)
        candidates.fill(np.arange(SIZE), context)
        candidates.apply(self._chain)
        token = candidates.chosen
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


def test_a_bias_lifts_a_token_from_anywhere_and_those_of_one_token_add_up() -> None:
    logits = np.linspace(5, 0, SIZE).astype(np.float32)
    biases = (LogitBias(2_900, 3.0), LogitBias(2_900, 3.0), LogitBias(chr(1), -20.0))
    assert tokens({"temperature": 0.0, "logit_bias": biases}, [logits], short=True) == [2_900]
    forbidden = (*biases, LogitBias(2_900, None))
    assert tokens({"temperature": 0.0, "logit_bias": forbidden}, [logits], short=True) == [0]


def test_a_token_that_does_not_exist_is_named() -> None:
    with pytest.raises(SettingsError, match=f"there is no token {SIZE}; .* from 0 to {SIZE - 1}"):
        FedSampler(SamplingSettings(logit_bias=(LogitBias(SIZE, 1.0),)))


def test_the_coldest_of_temperatures_takes_the_likeliest_token() -> None:
    logits = np.linspace(0, 1, SIZE, dtype=np.float32)
    logits[17] = 30
    cold = {"temperature": 1e-44, "top_k": 0, "random_seed": 1}
    assert tokens(cold, [logits], short=False) == [17]


def test_what_the_grammar_allows_and_a_bias_forbids_cannot_be_said(engine: LlamaEngine) -> None:
    grammar = Grammar(engine._vocabulary, 'root ::= "7"')
    forbidden = tuple(LogitBias(token, None) for token in grammar.all_allowed().tolist())
    grammar.close()
    asked = SamplingSettings(grammar='root ::= "7"', logit_bias=forbidden)
    run = engine.begin(engine.open_sequence(), engine.prompt(talk("Hi")), asked, "foreground")
    with pytest.raises(SettingsError, match="logit_bias forbids every token"):
        run_to_end(run)
    run.finish()


def test_a_choice_the_grammar_refuses_is_made_again_among_what_it_allows(
    smollm2: LlamaEngine,
) -> None:
    prompt = smollm2.prompt(talk("Count: one, two,"))
    said = set()
    for seed in range(8):
        asked = SamplingSettings(
            temperature=1.0, top_k=0, random_seed=seed, grammar='root ::= "yes" | "no" | "7"'
        )
        run = smollm2.begin(smollm2.open_sequence(), prompt, asked, "foreground")
        said.add(run_to_end(run))
    assert said <= {"yes", "no", "7"}
    assert len(said) > 1


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
