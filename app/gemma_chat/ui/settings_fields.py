"""How the settings of a tab are written in the panel's fields, and read from them. Pure."""

from __future__ import annotations

import msgspec

from gemma_chat.config.sampling import (
    SAMPLING_FIELDS,
    THINKING_BUDGET,
    SamplingField,
    SessionSettings,
)
from gemma_chat.errors import SettingsError

SYSTEM_INSTRUCTION = "system_instruction"
STOP = "stop"
GRAMMAR = "grammar"

EXPLANATIONS = {
    SYSTEM_INSTRUCTION: "What the model is told before the first message: role, manner, language.",
    STOP: r"The reply ends before any of these; one a line, \n for a line end.",
    GRAMMAR: "A GBNF grammar that the reply has to follow; empty is none.",
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

_FIELDS = {field.name: field for field in (*SAMPLING_FIELDS, THINKING_BUDGET)}
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
    if name == SYSTEM_INSTRUCTION:
        return settings.system_instruction
    of_session = name == THINKING_BUDGET.name
    value = getattr(settings if of_session else settings.sampling, name)
    if value is None:
        return ""
    if name == STOP:
        return "\n".join(map(_escaped, value))
    if name == GRAMMAR:
        return str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_text(settings: SessionSettings, name: str, text: str) -> SessionSettings:
    """The settings with what was typed into the field; raises `SettingsError`."""
    if name == SYSTEM_INSTRUCTION:
        return msgspec.structs.replace(settings, system_instruction=text).validated()
    if name == THINKING_BUDGET.name:
        budget = THINKING_BUDGET.parse(text)
        return msgspec.structs.replace(settings, thinking_budget=budget).validated()
    value: object
    if name == STOP:
        value = tuple(_unescaped(line) for line in text.split("\n") if line)
    elif name == GRAMMAR:
        value = text if text.strip() else None
    elif field := _FIELDS.get(name):
        value = field.parse(text)
    else:
        raise SettingsError(f"There is no setting {name!r}.")
    sampling = msgspec.structs.replace(settings.sampling, **{name: value})
    return msgspec.structs.replace(settings, sampling=sampling).validated()


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
