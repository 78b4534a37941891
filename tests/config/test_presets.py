"""Presets: what they set, and what of a tab they leave alone."""

from __future__ import annotations

import msgspec
import pytest

from gemma_chat.config.presets import (
    BUILT_IN_PRESETS,
    RECOMMENDED,
    TERMINAL_SAMPLING,
    Preset,
    begun_with,
    presets_for,
    recommended_sampling,
)
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.settings import Settings
from gemma_chat.errors import SettingsError

TAB = SessionSettings(
    system_instruction="Answer as a pirate.",
    sampling=SamplingSettings(
        temperature=0.1,
        xtc_probability=0.5,
        random_seed=7,
        max_output_tokens=99,
        stop=("END",),
        grammar='root ::= "x"',
    ),
)


def named(name: str) -> Preset:
    return next(preset for preset in BUILT_IN_PRESETS if preset.name == name)


def test_a_new_tab_of_the_terminal_samples_as_the_terminal_promises() -> None:
    sampling = Settings().defaults.sampling
    assert sampling == TERMINAL_SAMPLING
    assert (sampling.temperature, sampling.top_k, sampling.top_p) == (0.7, 40, 0.95)
    assert (sampling.min_p, sampling.repeat_penalty, sampling.random_seed) == (0.05, 1.1, None)


@pytest.mark.parametrize("preset", BUILT_IN_PRESETS, ids=lambda preset: preset.name)
def test_every_built_in_preset_is_valid_and_explained(preset: Preset) -> None:
    changed = preset.applied_to(TAB)
    assert changed.sampling != TAB.sampling
    assert preset.explanation.endswith(".")


def test_a_preset_keeps_what_belongs_to_the_task_and_nothing_of_an_earlier_preset() -> None:
    changed = named("creative").applied_to(TAB)
    assert changed.system_instruction == "Answer as a pirate."
    assert changed.sampling.temperature == 1.2
    assert changed.sampling.xtc_probability == 0.0
    assert changed.sampling.random_seed == 7
    assert changed.sampling.max_output_tokens == 99
    assert changed.sampling.stop == ("END",)
    assert changed.sampling.grammar == 'root ::= "x"'


def test_a_preset_can_set_the_system_instruction_and_the_seed() -> None:
    preset = Preset("mine", {"random_seed": None}, system_instruction="")
    changed = preset.applied_to(TAB)
    assert changed.system_instruction == ""
    assert changed.sampling.random_seed is None


def test_gemma_is_sampled_as_its_makers_recommend() -> None:
    for family in ("gemma3", "gemma4"):
        recommended = recommended_sampling(family)
        preset = next(
            p for p in presets_for(BUILT_IN_PRESETS, recommended) if p.name == RECOMMENDED
        )
        for sampling in (recommended, preset.applied_to(TAB).sampling):
            assert (sampling.temperature, sampling.top_k, sampling.top_p) == (1.0, 64, 0.95)
            assert (sampling.min_p, sampling.repeat_penalty) == (0.0, 1.0)


def test_the_preset_called_recommended_is_that_of_the_loaded_model() -> None:
    presets = presets_for(BUILT_IN_PRESETS, recommended_sampling("chatml"))
    assert [preset.name for preset in presets] == [preset.name for preset in BUILT_IN_PRESETS]
    changed = next(p for p in presets if p.name == RECOMMENDED).applied_to(TAB).sampling
    assert (changed.temperature, changed.top_p, changed.random_seed) == (0.7, 0.9, 7)
    assert presets_for(BUILT_IN_PRESETS, None) == BUILT_IN_PRESETS


def test_a_preset_a_person_calls_recommended_stays_theirs() -> None:
    mine = Preset(RECOMMENDED, {"temperature": 0.3})
    presets = presets_for(Settings(presets=(mine,)).all_presets, recommended_sampling("gemma3"))
    assert mine in presets


def test_models_of_an_unknown_family_are_sampled_as_the_terminal_does() -> None:
    assert recommended_sampling("other") == TERMINAL_SAMPLING


def test_a_new_tab_takes_the_recommendation_where_the_person_set_nothing_else() -> None:
    mine = msgspec.structs.replace(TERMINAL_SAMPLING, temperature=0.1, stop=("END",))
    begun = begun_with(
        SessionSettings(system_instruction="Be brief.", sampling=mine),
        recommended_sampling("gemma3"),
    )
    assert begun.system_instruction == "Be brief."
    assert (begun.sampling.temperature, begun.sampling.stop) == (0.1, ("END",))
    assert (begun.sampling.top_k, begun.sampling.min_p) == (64, 0.0)


def test_a_preset_can_choose_an_adapter_and_else_leaves_it_alone() -> None:
    tab = msgspec.structs.replace(TAB, lora_path="/a.gguf", lora_scale=0.5)
    kept = named("precise").applied_to(tab)
    assert (kept.lora_path, kept.lora_scale) == ("/a.gguf", 0.5)
    changed = Preset("pirate", lora_path="/b.gguf", lora_scale=2.0).applied_to(tab)
    assert (changed.lora_path, changed.lora_scale) == ("/b.gguf", 2.0)


def test_a_preset_with_a_wrong_value_is_refused_when_applied() -> None:
    with pytest.raises(SettingsError, match="temperature = 99 is not allowed"):
        Preset("hot", {"temperature": 99}).applied_to(TAB)


def test_a_persons_preset_replaces_the_built_in_one_of_the_same_name() -> None:
    mine = Preset("precise", {"temperature": 0.0})
    presets = Settings(presets=(mine,)).all_presets
    assert [preset.name for preset in presets] == [preset.name for preset in BUILT_IN_PRESETS]
    assert mine in presets
