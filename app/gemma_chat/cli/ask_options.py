"""The settings of `gemma-chat ask`: options made from the table, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from gemma_chat.config.sampling import (
    SAMPLING_FIELDS,
    SamplingField,
    SamplingSettings,
    SessionSettings,
)
from gemma_chat.config.settings import Settings
from gemma_chat.errors import SettingsError

_MAX_FILE_BYTES = 1_000_000


def sampling_options() -> list[click.Parameter]:
    """An option for each sampling setting, with its explanation and range."""
    return [
        click.Option(
            [f"--{field.name.replace('_', '-')}", field.name],
            metavar="INTEGER" if field.whole else "NUMBER",
            callback=partial(_checked, field),
            help=f"{field.explanation} Allowed: {field.allowed}.",
        )
        for field in SAMPLING_FIELDS
    ]


def _checked(
    field: SamplingField, context: click.Context, option: click.Parameter, text: str | None
) -> int | float | str | None:
    """The number that `text` stands for; "" for an optional one that is to be empty."""
    if text is None:
        return None
    try:
        value = field.parse(text)
    except SettingsError as error:
        raise click.BadParameter(str(error), context, option) from None
    return "" if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSettings:
    """The settings on the command line; what is not given stays as it is."""

    system: str | None = None
    preset: str | None = None
    schema: Path | None = None
    grammar: Path | None = None
    stop: tuple[str, ...] = ()
    sampling: Mapping[str, Any]

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(
            self.system is not None
            or self.preset is not None
            or self.schema
            or self.grammar
            or self.stop
            or self.sampling
        )

    def applied_to(self, settings: SessionSettings, known: Settings) -> SessionSettings:
        """`settings` as the command line has them; raises `SettingsError`.

        `known` has the presets.
        """
        if self.preset is not None:
            settings = _preset(self.preset, known, settings)
        values: dict[str, Any] = dict(self.sampling)
        if self.stop:
            values["stop"] = self.stop
        if self.grammar is not None or self.schema is not None:
            # What the conversation has of one does not stand in the way of the other.
            values |= {"grammar": None, "json_schema": None}
        if self.grammar is not None:
            values["grammar"] = _text(self.grammar, "grammar")
        if self.schema is not None:
            values["json_schema"] = _text(self.schema, "schema")
        sampling = msgspec.to_builtins(settings.sampling) | values
        system = settings.system_instruction if self.system is None else self.system
        changed = msgspec.structs.replace(
            settings,
            system_instruction=system,
            sampling=msgspec.convert(sampling, SamplingSettings),
        )
        return changed.validated()


def _preset(name: str, known: Settings, settings: SessionSettings) -> SessionSettings:
    for preset in known.all_presets:
        if preset.name == name:
            return preset.applied_to(settings)
    names = ", ".join(preset.name for preset in known.all_presets)
    raise SettingsError(f"There is no preset {name!r}. The presets are: {names}.")


def _text(path: Path, what: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The {what} {path} cannot be read ({error.strerror}).") from None
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"The {what} {path} is larger than {_MAX_FILE_BYTES:,} bytes.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"The {what} {path} is not text (UTF-8).") from None
