"""What `open_session` takes, and what it refuses with a sentence."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.errors import GemmaChatError, SettingsError
from gemma_chat.sessions.options import Dry, Xtc, following, settings_from


def test_the_defaults_are_those_of_the_session_api() -> None:
    sampling = settings_from({}).sampling
    assert (sampling.temperature, sampling.random_seed, sampling.top_k) == (0.8, 1, 1)
    assert settings_from({}).system_instruction == ""


def test_every_keyword_arrives_in_the_settings() -> None:
    settings = settings_from(
        {
            "temperature": 0.1,
            "random_seed": None,
            "top_k": 40,
            "top_p": 0.9,
            "min_p": 0.05,
            "typical_p": 0.95,
            "repeat_penalty": 1.1,
            "repeat_last_n": 32,
            "presence_penalty": 0.5,
            "frequency_penalty": 0.25,
            "dry": Dry(multiplier=0.7, base=1.5, allowed_length=3, penalty_last_n=100),
            "xtc": Xtc(probability=0.4, threshold=0.2),
            "max_output_tokens": 99,
            "stop": ["END", "STOP"],
            "grammar": 'root ::= "yes"',
            "logit_bias": {7: 1.5, " the": float("-inf")},
            "lora_path": "/adapters/pirate.gguf",
            "lora_scale": 0.5,
            "system_instruction": "Be brief.",
        }
    )
    assert settings == SessionSettings(
        system_instruction="Be brief.",
        sampling=SamplingSettings(
            temperature=0.1,
            random_seed=None,
            top_k=40,
            top_p=0.9,
            min_p=0.05,
            typical_p=0.95,
            repeat_penalty=1.1,
            repeat_last_n=32,
            presence_penalty=0.5,
            frequency_penalty=0.25,
            dry_multiplier=0.7,
            dry_base=1.5,
            dry_allowed_length=3,
            dry_penalty_last_n=100,
            xtc_probability=0.4,
            xtc_threshold=0.2,
            max_output_tokens=99,
            stop=("END", "STOP"),
            grammar='root ::= "yes"',
            logit_bias=(LogitBias(7, 1.5), LogitBias(" the", None)),
        ),
        lora_path="/adapters/pirate.gguf",
        lora_scale=0.5,
    )


def test_one_stop_string_needs_no_list() -> None:
    assert settings_from({"stop": "END"}).sampling.stop == ("END",)


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"thinking_budget": 0}, SettingsError, "thinking_budget"),
        ({"lora_path": "x" * 5000}, SettingsError, "lora_path"),
        (
            {"lora_scale": 11.0},
            SettingsError,
            "lora_scale = 11.0 is not allowed",
        ),
        ({"lora_scale": float("inf")}, SettingsError, "lora_scale"),
        ({"logit_bias": {-1: 2.0}}, SettingsError, "numbered from 0"),
        ({"logit_bias": {"the": 101.0}}, SettingsError, "from -100 to 100, or -inf"),
        ({"logit_bias": {"the": float("nan")}}, SettingsError, "logit_bias of 'the'"),
        ({"logit_bias": {"": 1.0}}, SettingsError, "1 to 200 characters"),
        ({"logit_bias": {None: 1.0}}, SettingsError, "a token's number or a text"),
        ({"logit_bias": dict.fromkeys(range(300), 1.0)}, SettingsError, "300 entries"),
        ({"json_schema": {"a": {1, 2}}}, SettingsError, "cannot be written as JSON"),
        ({"json_schema": "{}", "grammar": 'root ::= "a"'}, SettingsError, "both set"),
        ({"temperature": -1.0}, SettingsError, "temperature"),
        ({"temperature": float("nan")}, SettingsError, "temperature"),
        ({"top_k": "many"}, SettingsError, "top_k"),
        ({"random_seed": 2**40}, SettingsError, "random_seed"),
        ({"stop": [""]}, SettingsError, "stop string"),
        ({"stop": ["x"] * 100}, SettingsError, "100 strings"),
        ({"grammar": "x" * 1_000_000}, SettingsError, "grammar"),
        ({"system_instruction": "x" * 2_000_000}, SettingsError, "system instruction"),
        ({"settings": SessionSettings(), "top_k": 3}, SettingsError, "not both"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    options: Any, error: type[GemmaChatError], word: str
) -> None:
    with pytest.raises(error, match=word):
        settings_from(options)


def test_what_is_switched_off_is_not_refused() -> None:
    off: Any = {
        "lora_path": None,
        "enable_vision_modality": False,
        "enable_audio_modality": None,
        "enable_thinking": False,
        "tools": (),
        "json_schema": None,
        "top_p": None,
    }
    assert settings_from(off) == SessionSettings()


def test_a_misspelt_keyword_is_an_error_of_the_program() -> None:
    misspelt: Any = {"temprature": 1.0}
    with pytest.raises(TypeError, match="temprature"):
        settings_from(misspelt)


def test_a_schema_may_be_given_as_a_mapping_or_as_text() -> None:
    assert (
        settings_from({"json_schema": {"type": "null"}}).sampling.json_schema == '{"type": "null"}'
    )
    assert (
        settings_from({"json_schema": '{"type":"null"}'}).sampling.json_schema == '{"type":"null"}'
    )


def test_a_relative_adapter_path_is_that_of_the_program_that_names_it(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        path = settings_from({"lora_path": "pirate.gguf"}).lora_path
    assert path == str(tmp_path / "pirate.gguf")


def test_the_rules_of_a_turn_take_the_place_of_those_of_its_session() -> None:
    own = SamplingSettings(grammar='root ::= "a"', temperature=0.3)
    ruled = following(own, {"json_schema": {"type": "null"}})
    assert (ruled.grammar, ruled.json_schema, ruled.temperature) == (None, '{"type": "null"}', 0.3)
    assert following(own, {"grammar": 'root ::= "b"'}).grammar == 'root ::= "b"'
    assert following(own, {}) == own
    misspelt: Any = {"schema": {}}
    with pytest.raises(TypeError, match="schema"):
        following(own, misspelt)
    with pytest.raises(SettingsError, match="pattern"):
        following(own, {"json_schema": {"type": "string", "pattern": "a"}})
