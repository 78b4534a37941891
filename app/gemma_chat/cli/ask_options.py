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
    LORA_SCALE_FIELD,
    SAMPLING_FIELDS,
    THINKING_BUDGET,
    SamplingField,
    SamplingSettings,
    SessionSettings,
)
from gemma_chat.config.settings import Settings
from gemma_chat.errors import SettingsError
from gemma_chat.quantities import MB, byte_size

_MAX_FILE_BYTES = 1 * MB
_OF_THE_SESSION = (THINKING_BUDGET, LORA_SCALE_FIELD)
"""Numbers that are no sampling settings."""


def number_options() -> list[click.Parameter]:
    """An option for each setting that is a number, with its explanation and range."""
    return [
        click.Option(
            [f"--{field.name.replace('_', '-')}", field.name],
            metavar="INTEGER" if field.whole else "NUMBER",
            callback=partial(_checked, field),
            help=f"{field.explanation} Allowed: {field.allowed}.",
        )
        for field in (*_OF_THE_SESSION, *SAMPLING_FIELDS)
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
    thinking: bool | None = None
    lora: str | None = None
    """The file of an adapter; an empty text is the model as it is."""
    numbers: Mapping[str, Any]
    """Settings of `number_options` by name."""

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return bool(
            self.system is not None
            or self.preset is not None
            or self.schema
            or self.grammar
            or self.stop
            or self.thinking is not None
            or self.lora is not None
            or self.numbers
        )

    @property
    def wants_thinking(self) -> bool:
        """Whether the model shall think for this question, also by a budget for it."""
        if self.thinking is None:
            return self.numbers.get("thinking_budget") is not None
        return self.thinking

    def applied_to(self, settings: SessionSettings, known: Settings) -> SessionSettings:
        """`settings` as the command line has them; raises `SettingsError`.

        `known` has the presets.
        """
        if self.preset is not None:
            settings = _preset(self.preset, known, settings)
        names = [field.name for field in _OF_THE_SESSION]
        values = {name: value for name, value in self.numbers.items() if name not in names}
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
        changed = msgspec.structs.replace(
            settings, sampling=msgspec.convert(sampling, SamplingSettings), **self._of_the_session()
        )
        return changed.validated()

    def _of_the_session(self) -> dict[str, Any]:
        """What is given beside the sampling settings; raises `SettingsError`."""
        names = [field.name for field in _OF_THE_SESSION]
        values = {name: self.numbers[name] for name in names if name in self.numbers}
        if self.wants_thinking or self.thinking is not None:
            values["enable_thinking"] = self.wants_thinking
        if self.lora is not None:
            values["lora_path"] = _whole_path(self.lora)
        if self.system is not None:
            values["system_instruction"] = self.system
        return values


def _preset(name: str, known: Settings, settings: SessionSettings) -> SessionSettings:
    for preset in known.all_presets:
        if preset.name == name:
            return preset.applied_to(settings)
    names = ", ".join(preset.name for preset in known.all_presets)
    raise SettingsError(f"There is no preset {name!r}. The presets are: {names}.")


def _whole_path(adapter: str) -> str:
    """The path of an adapter, whole: the host stands in another folder. Nothing for none."""
    if not adapter:
        return ""
    path = Path(adapter).expanduser().absolute()
    if not path.is_file():
        raise SettingsError(f"There is no adapter {path}. Name the GGUF file of a LoRA adapter.")
    return str(path)


def _text(path: Path, what: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"The {what} {path} cannot be read ({error.strerror}).") from None
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"The {what} {path} is larger than {byte_size(_MAX_FILE_BYTES)}.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SettingsError(f"The {what} {path} is not text (UTF-8).") from None
