"""The keywords of `open_session`, and what they become."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from gemma_chat.config.logit_bias import biases_from
from gemma_chat.config.sampling import Overflow, SamplingSettings, SessionSettings
from gemma_chat.engine.gbnf import check_grammar
from gemma_chat.engine.interface import Engine, LoraChoice, ModelDescription, ToolSpec
from gemma_chat.engine.json_schema import grammar_of
from gemma_chat.errors import SettingsError, ToolError
from gemma_chat.sessions.tool_specs import checked_tools
from gemma_chat.terms import MediaKind
from gemma_chat.tools.functions import as_tool
from gemma_chat.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Dry:
    """The DRY penalty against repeated phrases; `multiplier` 0 is off.

    session = await model.open_session(dry=Dry(multiplier=0.8, allowed_length=3))
    """

    multiplier: float = 0.8
    base: float = 1.75
    allowed_length: int = 2
    penalty_last_n: int = -1


@dataclass(frozen=True, slots=True)
class Xtc:
    """XTC sets the likeliest tokens aside now and then; `probability` 0 is off.

    session = await model.open_session(top_k=0, xtc=Xtc(probability=0.3))
    """

    probability: float = 0.5
    threshold: float = 0.1


class ReplyRules(TypedDict, total=False):
    """The keywords of `get_response` and its kin: what one reply has to follow.

    Either of them takes the place of the session's own grammar or schema for this turn.
    """

    grammar: str
    json_schema: Mapping[str, Any] | str


class SessionOptions(TypedDict, total=False):
    """The keywords of `open_session`, `create_session`, `open_chat` and `create_chat`.

    What is left out has the default of `SamplingSettings`. Wrong values raise `SettingsError`.
    """

    temperature: float
    random_seed: int | None
    top_k: int
    top_p: float | None
    lora_path: str | Path | None
    lora_scale: float
    enable_vision_modality: bool | None
    enable_audio_modality: bool | None
    system_instruction: str | None
    enable_thinking: bool
    thinking_budget: int | None
    keep_thinking: bool
    overflow: Overflow
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
    json_schema: Mapping[str, Any] | str | None
    logit_bias: Mapping[int | str, float]
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
        TypeError: A keyword does not exist.
    """
    unknown = sorted(set(options) - set(SessionOptions.__annotations__))
    if unknown:
        raise TypeError(f"open_session has no parameter {unknown[0]!r}")
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
        overflow=options.get("overflow", "summary"),
        lora_path=_adapter_path(options.get("lora_path")),
        lora_scale=options.get("lora_scale", 1.0),
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


def _adapter_path(path: str | Path | None) -> str:
    """A path that means the same wherever the program goes."""
    return str(Path(path).expanduser().absolute()) if path else ""


def check_settings(engine: Engine, settings: SessionSettings) -> None:
    """Raise what a turn with these settings would fail with.

    Raises:
        SettingsError: The JSON schema or the grammar cannot be followed, or the model shall think
            and has no switch for it.
        AdapterError: The LoRA adapter cannot be applied to this model.
    """
    check_rules(settings.sampling)
    if settings.enable_thinking:
        _check_thinking(engine.description)
    lora = lora_of(settings)
    if lora is not None:
        engine.check_lora(lora)


def _check_thinking(description: ModelDescription) -> None:
    if not description.thinks:
        whose = "its server offers" if description.server else "its chat template has"
        raise SettingsError(
            f"enable_thinking = True is not possible: {description.name} cannot be told to think, "
            f"{whose} no switch for it. Leave it out, or use a model with one (Gemma 4, Qwen 3)."
        )


def check_rules(sampling: SamplingSettings) -> None:
    """Raise `SettingsError` when a reply cannot be made to follow the schema or the grammar."""
    if sampling.json_schema is not None:
        grammar_of(sampling.json_schema)
    if sampling.grammar is not None:
        check_grammar(sampling.grammar)


def lora_of(settings: SessionSettings) -> LoraChoice | None:
    """The adapter that the settings ask for."""
    if not settings.lora_path or settings.lora_scale == 0:
        return None
    return LoraChoice(settings.lora_path, settings.lora_scale)


def following(sampling: SamplingSettings, rules: ReplyRules) -> SamplingSettings:
    """`sampling` with a grammar or schema in the place of its own; raises `SettingsError`."""
    unknown = sorted(set(rules) - set(ReplyRules.__annotations__))
    if unknown:
        raise TypeError(f"a turn has no parameter {unknown[0]!r}")
    grammar, schema = rules.get("grammar"), rules.get("json_schema")
    if grammar is None and schema is None:
        return sampling
    ruled = msgspec.structs.replace(
        sampling, grammar=grammar, json_schema=None if schema is None else schema_text(schema)
    ).validated()
    check_rules(ruled)
    return ruled


def schema_text(schema: Mapping[str, Any] | str) -> str:
    """A JSON schema as text; raises `SettingsError` when it is no JSON."""
    if isinstance(schema, str):
        return schema
    try:
        return json.dumps(schema, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingsError(f"The JSON schema cannot be written as JSON: {error}.") from None


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
    schema = options.get("json_schema")
    if schema is not None:
        values["json_schema"] = schema_text(schema)
    values["logit_bias"] = biases_from(options.get("logit_bias") or {})
    xtc = options.get("xtc")
    if xtc is not None:
        values["xtc_probability"] = xtc.probability
        values["xtc_threshold"] = xtc.threshold
    return SamplingSettings(**values)


def modalities_asked(options: SessionOptions) -> dict[MediaKind, bool | None]:
    """Which media a session shall take; `None` leaves it to the model."""
    return {
        "image": options.get("enable_vision_modality"),
        "audio": options.get("enable_audio_modality"),
    }
