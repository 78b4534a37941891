"""Settings as text: what the fields show can be read back, and nonsense is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.sampling import (
    MAX_GRAMMAR_LENGTH,
    SAMPLING_FIELDS,
    SamplingSettings,
    SessionSettings,
)
from gemma_chat.errors import SettingsError
from gemma_chat.ui.settings_fields import explanation_of, text_of, with_text

NAMES = [
    *("system_instruction", "stop", "grammar", "json_schema", "logit_bias"),
    *("lora_path", "lora_scale"),
    *(field.name for field in SAMPLING_FIELDS),
]
FULL = SessionSettings(
    system_instruction="Be brief.\nBe kind.",
    sampling=SamplingSettings(
        temperature=0.65,
        max_output_tokens=400,
        stop=("\n\n", "a\\nb", "\tEnd"),
        grammar="root ::= x",
        logit_bias=(LogitBias(7, None), LogitBias(" the", 2.5), LogitBias("a = b", -100.0)),
    ),
    lora_path="/adapters/pirate.gguf",
    lora_scale=0.5,
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", [SessionSettings(), FULL], ids=["defaults", "full"])
def test_a_field_left_as_it_is_changes_nothing(name: str, settings: SessionSettings) -> None:
    assert with_text(settings, name, text_of(settings, name)) == settings


@given(st.lists(st.text(min_size=1, max_size=20), max_size=5).map(tuple))
def test_any_stop_strings_can_be_written_in_lines(stop: tuple[str, ...]) -> None:
    settings = SessionSettings(sampling=SamplingSettings(stop=stop))
    assert with_text(SessionSettings(), "stop", text_of(settings, "stop")) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temperature", "hot"),
        ("temperature", "-1"),
        ("temperature", "nan"),
        ("temperature", ""),
        ("temperature", "9" * 400),
        ("top_k", "1.5"),
        ("random_seed", "99999999999999"),
        ("max_output_tokens", "0"),
        ("stop", "x" * 201),
        ("stop", "\n".join("abcdefghijklmnopqrstuvwxyz")),
        ("grammar", "x" * (MAX_GRAMMAR_LENGTH + 1)),
        ("system_instruction", "x" * 1_000_001),
        ("json_schema", "{}"),
        ("logit_bias", "the"),
        ("logit_bias", "the = a lot"),
        ("logit_bias", "the = 1000"),
        ("logit_bias", "= 1"),
        ("logit_bias", "#99999999999999 = 1"),
        ("logit_bias", "x = 1\n" * 300),
        ("lora_path", "x" * 5000),
        ("lora_scale", "11"),
        ("no_such", "1"),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_sentence(name: str, text: str) -> None:
    with pytest.raises(SettingsError):
        with_text(FULL, name, text)


@given(
    st.lists(
        st.builds(
            LogitBias,
            st.integers(0, 2**31 - 1) | st.text(min_size=1, max_size=20),
            st.none() | st.floats(-100, 100),
        ),
        max_size=4,
    ).map(tuple)
)
def test_any_logit_biases_can_be_written_in_lines(biases: tuple[LogitBias, ...]) -> None:
    settings = SessionSettings(sampling=SamplingSettings(logit_bias=biases))
    assert with_text(SessionSettings(), "logit_bias", text_of(settings, "logit_bias")) == settings


def test_a_path_is_kept_whole_for_a_host_that_runs_elsewhere(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        settings = with_text(SessionSettings(), "lora_path", " pirate.gguf ")
    assert settings.lora_path == str(tmp_path / "pirate.gguf")
    assert with_text(settings, "lora_path", " ").lora_path == ""


def test_an_empty_optional_number_means_none() -> None:
    assert with_text(FULL, "random_seed", " ").sampling.random_seed is None
    assert with_text(FULL, "grammar", " \n").sampling.grammar is None


def test_every_field_is_explained_with_its_range() -> None:
    assert all(explanation_of(name) for name in NAMES)
    assert "from 0 to 5" in explanation_of("temperature")
