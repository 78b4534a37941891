"""Roles: a system instruction with a name, and the sampling that suits it if it needs one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gemma_chat.config.document import preset_of, preset_table
from gemma_chat.config.presets import Preset, SamplingValue
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Role:
    """Who the model is to be. `values` has the names of `SamplingSettings`."""

    name: str
    system_instruction: str
    explanation: str = ""
    values: Mapping[str, SamplingValue] = field(default_factory=dict)

    def applied_to(self, settings: SessionSettings) -> SessionSettings:
        """`settings` with this role; what it does not name stays. Raises `SettingsError`."""
        return msgspec.structs.replace(
            settings,
            system_instruction=self.system_instruction,
            sampling=msgspec.structs.replace(settings.sampling, **self.values),
        ).validated()


def role_of(name: str, table: Mapping[str, Any]) -> Role:
    """The role in a TOML document; raises `SettingsError`."""
    preset = preset_of(name, table)
    if not (preset.system_instruction or "").strip():
        raise SettingsError('it has no system_instruction = "…", which is what a role is.')
    if preset.lora_path is not None or preset.lora_scale is not None:
        raise SettingsError("it names a LoRA adapter, which a preset can have but no role.")
    return Role(name, preset.system_instruction or "", preset.explanation, preset.values)


def role_table(role: Role) -> dict[str, Any]:
    """The inverse of `role_of`."""
    return preset_table(
        Preset(role.name, role.values, role.system_instruction, explanation=role.explanation)
    )
