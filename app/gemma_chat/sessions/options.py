"""The keywords of `open_session`, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import ToolSpec
from gemma_chat.errors import AdapterError, ModalityError, SettingsError, ToolError
from gemma_chat.sessions.tool_specs import checked_tools
from gemma_chat.tools.functions import as_tool
from gemma_chat.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Dry:
    """The DRY penalty against repeated phrases; `multiplier` 0 is off."""

    multiplier: float = 0.8
    base: float = 1.75
    allowed_length: int = 2
    penalty_last_n: int = -1


@dataclass(frozen=True, slots=True)
class Xtc:
    """XTC sets the likeliest tokens aside now and then; `probability` 0 is off."""

    probability: float = 0.5
    threshold: float = 0.1


class SessionOptions(TypedDict, total=False):
    """The keywords of `open_session`, `create_session`, `open_chat` and `create_chat`.

    What is left out has the default of `SamplingSettings`. Wrong values raise `SettingsError`.
    """

    temperature: float
    random_seed: int | None
    top_k: int
    top_p: float | None
    lora_path: str | Path | None
    enable_vision_modality: bool | None
    enable_audio_modality: bool | None
    system_instruction: str | None
    enable_thinking: bool
    thinking_budget: int | None
    keep_thinking: bool
    tools: Sequence[ToolSpec | Tool | Callable[..., object]]
    min_p: float
    typical_p: float
    repeat_penalty: float
    repeat_last_n: int
    presence_penalty: float
    frequency_penalty: float
    dry: Dry | None
    xtc: Xtc | None
    max_output_tokens: int | None
    stop: str | Sequence[str]
    grammar: str | None
    json_schema: Any
    background: bool
    settings: SessionSettings | None


_SAMPLING = {
    "temperature",
    "random_seed",
    "top_k",
    "min_p",
    "typical_p",
    "repeat_penalty",
    "repeat_last_n",
    "presence_penalty",
    "frequency_penalty",
    "max_output_tokens",
    "grammar",
}


def settings_from(options: SessionOptions) -> SessionSettings:
    """The settings that `options` ask for.

    Raises:
        SettingsError: A value is not allowed, or the model cannot do what is asked.
        AdapterError: A LoRA adapter is asked for.
        ModalityError: Images or audio are asked for.
        TypeError: A keyword does not exist.
    """
    unknown = sorted(set(options) - set(SessionOptions.__annotations__))
    if unknown:
        raise TypeError(f"open_session has no parameter {unknown[0]!r}")
    _refuse_what_is_missing(options)
    settings = options.get("settings")
    if settings is not None:
        beside = sorted(set(options) - {"settings", "background", "tools"})
        if beside:
            raise SettingsError(
                f"Give either settings or {beside[0]}, not both: settings already says it all."
            )
        return settings.validated()
    return SessionSettings(
        system_instruction=options.get("system_instruction") or "",
        sampling=_sampling_from(options),
        enable_thinking=bool(options.get("enable_thinking")),
        thinking_budget=options.get("thinking_budget"),
        keep_thinking=bool(options.get("keep_thinking")),
    ).validated()


def specs_from(options: SessionOptions) -> tuple[ToolSpec, ...]:
    """What the model is told of the tools in `options`; raises `ToolError` and `SettingsError`."""
    return checked_tools(
        [
            one if isinstance(one, ToolSpec) else as_tool(one).spec
            for one in options.get("tools", ())
        ]
    )


def tools_from(options: SessionOptions) -> tuple[Tool, ...]:
    """The tools in `options`, to be carried out; raises `ToolError`."""
    return tuple(map(_runnable, options.get("tools", ())))


def _runnable(given: ToolSpec | Tool | Callable[..., object]) -> Tool:
    if isinstance(given, ToolSpec):
        raise ToolError(
            f"A chat cannot carry out the tool {given.name}: a ToolSpec is only its description. "
            "Give the function or a Tool, or open a session and answer its calls yourself."
        )
    return as_tool(given)


def _sampling_from(options: SessionOptions) -> SamplingSettings:
    values: dict[str, Any] = {name: value for name, value in options.items() if name in _SAMPLING}
    top_p = options.get("top_p")
    if top_p is not None:
        values["top_p"] = top_p
    stop = options.get("stop", ())
    values["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    dry = options.get("dry")
    if dry is not None:
        values["dry_multiplier"] = dry.multiplier
        values["dry_base"] = dry.base
        values["dry_allowed_length"] = dry.allowed_length
        values["dry_penalty_last_n"] = dry.penalty_last_n
    xtc = options.get("xtc")
    if xtc is not None:
        values["xtc_probability"] = xtc.probability
        values["xtc_threshold"] = xtc.threshold
    return SamplingSettings(**values)


def _refuse_what_is_missing(options: SessionOptions) -> None:
    """Say what this version cannot do, instead of dropping it in silence."""
    lora = options.get("lora_path")
    if lora is not None:
        raise AdapterError(
            f"The adapter {lora} cannot be used: LoRA adapters are not supported yet. "
            "Open the session without lora_path."
        )
    for name, what in (("enable_vision_modality", "images"), ("enable_audio_modality", "audio")):
        if options.get(name):
            raise ModalityError(
                f"This model cannot take {what}: it was loaded without a projector. "
                f"Open the session without {name}."
            )
    for name, what in (("json_schema", "A JSON schema"),):
        if options.get(name):
            remedy = "; use grammar instead." if name == "json_schema" else "."
            raise SettingsError(
                f"{what} cannot be used: not supported yet. Open the session without {name}{remedy}"
            )
