"""How the settings of a tab are written in the panel's fields, and read from them. Pure."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gemma_chat.config import logit_bias
from gemma_chat.config.sampling import (
    LORA_SCALE_FIELD,
    SAMPLING_FIELDS,
    THINKING_BUDGET,
    SamplingField,
    SessionSettings,
)
from gemma_chat.errors import SettingsError

SYSTEM_INSTRUCTION = "system_instruction"
STOP = "stop"
GRAMMAR = "grammar"
JSON_SCHEMA = "json_schema"
LOGIT_BIAS = "logit_bias"
LORA_PATH = "lora_path"

EXPLANATIONS = {
    SYSTEM_INSTRUCTION: "What the model is told before the first message: role, manner, language.",
    STOP: r"The reply ends before any of these; one a line, \n for a line end.",
    GRAMMAR: "A GBNF grammar that the reply has to follow; empty is none.",
    JSON_SCHEMA: "A JSON schema; the reply is JSON that fits it. Not beside a grammar.",
    LOGIT_BIAS: 'One a line: TEXT = BIAS, "never" forbids it. " the" = -5, #1234 = never.',
    LORA_PATH: "The GGUF file of a LoRA adapter for this model; empty is none.",
}

SWITCHES = {
    "enable_thinking": (
        "Thinking",
        "Let the model think before it answers, where its chat template can switch that on.",
    ),
    "keep_thinking": (
        "Keep thoughts",
        "Let the model see its thoughts in later turns too; else they leave the context.",
    ),
}
"""What is on or off, with its label and a line that explains it."""

CANNOT_THINK = (
    "This model cannot be told to think: its chat template has no switch for it. Tabs that have "
    "this on answer without."
)

_FIELDS = {field.name: field for field in (*SAMPLING_FIELDS, LORA_SCALE_FIELD, THINKING_BUDGET)}
_OF_SESSION = (SYSTEM_INSTRUCTION, LORA_PATH, LORA_SCALE_FIELD.name, THINKING_BUDGET.name)
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def field_named(name: str) -> SamplingField | None:
    """The number with this name; `None` for the texts."""
    return _FIELDS.get(name)


def explanation_of(name: str) -> str:
    """One line about a field, with its allowed range."""
    field = _FIELDS.get(name)
    if name in SWITCHES:
        return SWITCHES[name][1]
    if field is None:
        return EXPLANATIONS[name]
    return f"{field.explanation} Allowed: {field.allowed}."


def text_of(settings: SessionSettings, name: str) -> str:
    """What stands in the field."""
    value = getattr(settings if name in _OF_SESSION else settings.sampling, name)
    if value is None:
        return ""
    if name == STOP:
        return "\n".join(map(_escaped, value))
    if name == LOGIT_BIAS:
        return "\n".join(map(logit_bias.written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_text(settings: SessionSettings, name: str, text: str) -> SessionSettings:
    """The settings with what was typed into the field; raises `SettingsError`."""
    value = _value(name, text)
    if name in _OF_SESSION:
        return msgspec.structs.replace(settings, **{name: value}).validated()
    sampling = msgspec.structs.replace(settings.sampling, **{name: value})
    return msgspec.structs.replace(settings, sampling=sampling).validated()


def _value(name: str, text: str) -> object:
    match name:
        case "system_instruction":
            return text
        case "stop":
            return tuple(_unescaped(line) for line in text.split("\n") if line)
        case "grammar" | "json_schema":
            return text if text.strip() else None
        case "logit_bias":
            return tuple(logit_bias.parsed(line) for line in text.split("\n") if line.strip())
        case "lora_path":
            # The host has another working directory than the terminal.
            return str(Path(text.strip()).expanduser().absolute()) if text.strip() else ""
    field = _FIELDS.get(name)
    if field is None:
        raise SettingsError(f"There is no setting {name!r}.")
    return field.parse(text)


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _unescaped(line: str) -> str:
    characters = iter(line)
    out = []
    for character in characters:
        if character == "\\":
            following = next(characters, "\\")
            out.append(_UNESCAPES.get(following, "\\" + following))
        else:
            out.append(character)
    return "".join(out)
