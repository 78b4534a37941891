"""Presets: named ways of sampling that a tab can be switched to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from gemma_chat.config.logit_bias import LogitBias
from gemma_chat.config.sampling import SamplingSettings, SessionSettings

SamplingValue = int | float | str | tuple[str, ...] | tuple[LogitBias, ...] | None

TERMINAL_SAMPLING = SamplingSettings(
    temperature=0.7,
    top_k=40,
    top_p=0.95,
    min_p=0.05,
    repeat_penalty=1.1,
    random_seed=None,
)
"""How a new tab of the terminal samples, unless the settings file or the model says otherwise."""

RECOMMENDED = "recommended"
"""The name of the preset that is another one for each family of models."""

_GEMMA: Mapping[str, SamplingValue] = {
    "temperature": 1.0,
    "top_k": 64,
    "top_p": 0.95,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
}
_CHATML: Mapping[str, SamplingValue] = {
    "temperature": 0.7,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.05,
    "repeat_penalty": 1.1,
}
_BY_FAMILY: Mapping[str, Mapping[str, SamplingValue]] = {
    "gemma3": _GEMMA,
    "gemma4": _GEMMA,
    "chatml": _CHATML,
}

_KEPT = ("random_seed", "max_output_tokens", "stop", "grammar", "json_schema", "logit_bias")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of sampling values, and possibly a system instruction.

    `values` has the names of `SamplingSettings`.
    """

    name: str
    values: Mapping[str, SamplingValue] = field(default_factory=dict)
    system_instruction: str | None = None
    explanation: str = ""
    lora_path: str | None = None
    lora_scale: float | None = None

    @classmethod
    def of(cls, name: str, sampling: SamplingSettings) -> Preset:
        """The preset that samples like this; the seed belongs to the tab and is left out."""
        values = {
            field_name: value
            for field_name, value in msgspec.structs.asdict(sampling).items()
            if field_name not in _KEPT and value != getattr(TERMINAL_SAMPLING, field_name)
        }
        return cls(name, values, explanation="A preset of your own.")

    def applied_to(self, settings: SessionSettings) -> SessionSettings:
        """`settings` as this preset makes them.

        Values the preset does not name become the terminal's, so that nothing of an earlier
        preset is left over; the seed, the reply limit, the stop strings, the grammar or schema,
        the logit bias and the adapter stay as the tab has them, for they belong to its task.
        Raises `SettingsError` for a wrong value.
        """
        kept = {name: getattr(settings.sampling, name) for name in _KEPT}
        sampling = msgspec.structs.replace(TERMINAL_SAMPLING, **{**kept, **self.values})
        own = {
            "system_instruction": self.system_instruction,
            "lora_path": self.lora_path,
            "lora_scale": self.lora_scale,
        }
        given = {name: value for name, value in own.items() if value is not None}
        return msgspec.structs.replace(settings, sampling=sampling, **given).validated()


BUILT_IN_PRESETS: tuple[Preset, ...] = (
    Preset(
        "balanced",
        {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1},
        explanation="Varied, and stays on the subject; for models without a recommendation.",
    ),
    Preset(
        "precise",
        {"temperature": 0.2, "top_k": 40, "top_p": 0.9, "min_p": 0.1, "repeat_penalty": 1.05},
        explanation="For facts, code and extraction: little is left to chance.",
    ),
    Preset(
        "creative",
        {"temperature": 1.2, "top_k": 0, "top_p": 0.98, "min_p": 0.05, "repeat_penalty": 1.1},
        explanation="For stories and ideas: less likely words get their chance.",
    ),
    Preset(
        RECOMMENDED,
        _GEMMA,
        explanation="What the makers of the loaded model recommend.",
    ),
    Preset(
        "greedy",
        {"temperature": 0.0, "top_k": 1, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0},
        explanation="Always the likeliest token: the same question gives the same answer.",
    ),
)


def recommended_sampling(family: str) -> SamplingSettings:
    """What the makers of a family of models recommend; the terminal's own where none is known."""
    return msgspec.structs.replace(TERMINAL_SAMPLING, **_BY_FAMILY.get(family, {}))


def begun_with(defaults: SessionSettings, recommended: SamplingSettings) -> SessionSettings:
    """The settings of a new tab: the model's recommendation where the person set nothing else."""
    unset = {
        name: getattr(recommended, name)
        for name in TERMINAL_SAMPLING.__struct_fields__
        if getattr(defaults.sampling, name) == getattr(TERMINAL_SAMPLING, name)
    }
    sampling = msgspec.structs.replace(defaults.sampling, **unset)
    return msgspec.structs.replace(defaults, sampling=sampling)


def presets_for(
    presets: Iterable[Preset], recommended: SamplingSettings | None
) -> tuple[Preset, ...]:
    """`presets` with the built-in "recommended" as it is for the loaded model."""
    if recommended is None:
        return tuple(presets)
    built_in = next(preset for preset in BUILT_IN_PRESETS if preset.name == RECOMMENDED)
    values = {
        name: getattr(recommended, name)
        for name in recommended.__struct_fields__
        if name not in _KEPT
    }
    ours = Preset(RECOMMENDED, values, explanation=built_in.explanation)
    return tuple(ours if preset is built_in else preset for preset in presets)
