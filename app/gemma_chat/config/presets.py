"""Presets: named ways of sampling that a tab can be switched to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from gemma_chat.config.sampling import SamplingSettings, SessionSettings

SamplingValue = int | float | str | tuple[str, ...] | None

TERMINAL_SAMPLING = SamplingSettings(
    temperature=0.7,
    top_k=40,
    top_p=0.95,
    min_p=0.05,
    repeat_penalty=1.1,
    random_seed=None,
)
"""How a new tab of the terminal samples, unless the settings file says otherwise."""

_KEPT = ("random_seed", "max_output_tokens", "stop", "grammar")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of sampling values, and possibly a system instruction.

    `values` has the names of `SamplingSettings`.
    """

    name: str
    values: Mapping[str, SamplingValue] = field(default_factory=dict)
    system_instruction: str | None = None
    explanation: str = ""

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
        preset is left over; the seed, the reply limit, the stop strings and the grammar stay as
        the tab has them, for they belong to its task. Raises `SettingsError` for a wrong value.
        """
        kept = {name: getattr(settings.sampling, name) for name in _KEPT}
        sampling = msgspec.structs.replace(TERMINAL_SAMPLING, **{**kept, **self.values})
        changed = SessionSettings(
            system_instruction=settings.system_instruction
            if self.system_instruction is None
            else self.system_instruction,
            sampling=sampling,
        )
        return changed.validated()


BUILT_IN_PRESETS: tuple[Preset, ...] = (
    Preset(
        "balanced",
        {"temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1},
        explanation="What a new tab has: varied, and stays on the subject.",
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
        "recommended-for-gemma",
        {"temperature": 1.0, "top_k": 64, "top_p": 0.95, "min_p": 0.0, "repeat_penalty": 1.0},
        explanation="What the makers of Gemma 3 and Gemma 4 recommend.",
    ),
    Preset(
        "greedy",
        {"temperature": 0.0, "top_k": 1, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0},
        explanation="Always the likeliest token: the same question gives the same answer.",
    ),
)
