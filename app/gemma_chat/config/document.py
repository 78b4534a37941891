"""Between a TOML document and `Settings`."""

from __future__ import annotations

# The first paint of the terminal waits for this module: what is rarely used is imported late.
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gemma_chat.config.fields import (
    DEFAULTS_KEYS,
    KEYS_SECTION,
    PRESETS_SECTION,
    SESSION_KEYS,
    SETTING_FIELDS,
    sampling_fields,
)
from gemma_chat.config.key_wishes import key_wishes_of
from gemma_chat.config.mcp import servers_from, servers_table
from gemma_chat.config.presets import TERMINAL_SAMPLING, Preset
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.schema import Settings
from gemma_chat.config.setting_field import NotAllowed, SettingField
from gemma_chat.errors import SettingsError

_PRESET_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SECTIONS = tuple(dict.fromkeys(field.section for field in SETTING_FIELDS))
_SHOWN_CHARACTERS = 60
_MAX_EXPLANATION = 300

_ABOUT_KEYS = """
# Keys of your own: below [keys], "ACTION" = "ctrl+g", a list of keys, or "" for none.
# `gemma-chat config keys` lists the actions, their keys, and what is wrong with yours.
"""

_INTRODUCTION = """\
# The settings of gemma-chat.
# A line such as `#name = value` shows a default: take the # away to change it.
# TOML has no null: where empty is allowed, write "".
"""

_MCP_INTRODUCTION = """
# Servers of tools (Model Context Protocol), to be turned on in the settings of a tab:
# [mcp.servers.NAME] with command, args and env of one to be started, or the url of one that runs.
"""

MCP_SECTION = "mcp"


def parse_document(text: str) -> dict[str, Any]:
    """Read TOML; raises `SettingsError` that says in which line it stops being TOML."""
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SettingsError("it is nested too deeply.") from None
    except ValueError as error:
        raise SettingsError(f"it is not valid TOML: {error}.") from None


def to_settings(document: Mapping[str, Any]) -> Settings:
    """Check a document and fill in the defaults; raises `SettingsError` about the first fault."""
    known = (*_SECTIONS, PRESETS_SECTION, MCP_SECTION, KEYS_SECTION)
    for section in document:
        if section not in known:
            raise unknown(section, known, "section")
    values = {section: _section(section, document.get(section, {})) for section in _SECTIONS}
    defaults = Settings()
    return Settings(
        model=msgspec.structs.replace(defaults.model, **values["model"]),
        server=msgspec.structs.replace(defaults.server, **values["server"]),
        engine=msgspec.structs.replace(defaults.engine, **values["engine"]),
        memory=msgspec.structs.replace(defaults.memory, **values["memory"]),
        host=msgspec.structs.replace(defaults.host, **values["host"]),
        summarizer=msgspec.structs.replace(defaults.summarizer, **values["summarizer"]),
        terminal=msgspec.structs.replace(defaults.terminal, **values["terminal"]),
        defaults=_session_settings(values["defaults"]),
        presets=_presets(document.get(PRESETS_SECTION, {})),
        keys=key_wishes_of(document.get(KEYS_SECTION, {})),
        mcp_servers=servers_from(document.get(MCP_SECTION, {})),
    )


def to_document(settings: Settings) -> dict[str, Any]:
    """The document of everything that is not at its default."""
    document: dict[str, Any] = {}
    defaults = Settings()
    for field in SETTING_FIELDS:
        value = value_of(settings, field)
        if value != value_of(defaults, field):
            document.setdefault(field.section, {})[field.name] = field.to_toml(value)
    if settings.presets:
        document[PRESETS_SECTION] = {
            preset.name: preset_table(preset) for preset in settings.presets
        }
    if settings.keys:
        document[KEYS_SECTION] = {
            action: keys[0] if len(keys) == 1 else list(keys) for action, keys in settings.keys
        }
    if settings.mcp_servers:
        document[MCP_SECTION] = servers_table(settings.mcp_servers)
    return document


def render(settings: Settings) -> str:
    """The whole settings file: each key explained, those at their default commented out."""
    import tomli_w

    document = to_document(settings)
    parts = [_INTRODUCTION]
    for section in _SECTIONS:
        parts.append(f"\n[{section}]\n")
        fields = [field for field in SETTING_FIELDS if field.section == section]
        parts += [_render_field(field, document.get(section, {})) for field in fields]
    presets = document.get(PRESETS_SECTION)
    parts.append(
        "\n# Presets of your own: [presets.NAME] with an explanation and any of the keys of\n"
        "# [defaults] but overflow.\n"
    )
    if presets:
        parts.append("\n" + tomli_w.dumps({PRESETS_SECTION: presets}))
    parts.append(_ABOUT_KEYS)
    if keys := document.get(KEYS_SECTION):
        parts.append("\n" + tomli_w.dumps({KEYS_SECTION: keys}))
    parts.append(_MCP_INTRODUCTION)
    servers = document.get(MCP_SECTION)
    if servers:
        parts.append("\n" + tomli_w.dumps({MCP_SECTION: servers}))
    return "".join(parts)


def value_of(settings: Settings, field: SettingField) -> Any:
    """The value of one setting of `SETTING_FIELDS`."""
    section = getattr(settings, field.section)
    if isinstance(section, SessionSettings) and field.name not in DEFAULTS_KEYS:
        section = section.sampling
    return getattr(section, field.name)


def setting_text(settings: Settings, key: str) -> str:
    """What one setting, named by its dotted key, is: as `SettingField.parse` takes it back.

    A list has one text a line; a setting that is empty, or that a preset leaves as it is, is "".
    Raises `SettingsError` when there is no such setting or preset.
    """
    field = field_of(key)
    section, _, name = field.section.partition(".")
    if section == PRESETS_SECTION:
        presets = {preset.name: preset for preset in settings.presets}
        if name not in presets:
            raise unknown(name, presets, "preset of the settings file")
        value = preset_table(presets[name]).get(field.name, "")
    else:
        value = field.to_toml(value_of(settings, field))
    if isinstance(value, list):
        return "\n".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def field_of(key: str) -> SettingField:
    """The field a dotted key names; raises `SettingsError` with the nearest key there is."""
    section, _, name = key.partition(".")
    if section == PRESETS_SECTION and name.count(".") == 1:
        preset, _, name = name.partition(".")
        _check_preset_name(preset)
        fields = sampling_fields(f"{PRESETS_SECTION}.{preset}")
        return _named(fields, name)
    for field in SETTING_FIELDS:
        if field.key == key:
            return field
    if section in (KEYS_SECTION, MCP_SECTION):
        raise SettingsError(
            f"The section [{section}] is written by hand: `gemma-chat config edit` opens the file."
        )
    error = unknown(key, [field.key for field in SETTING_FIELDS], "setting")
    raise SettingsError(f"{error} `gemma-chat config show` explains them all.")


def unknown(key: str, known: Iterable[str], kind: str) -> SettingsError:
    """The error about a key that does not exist, with the nearest one that does."""
    import difflib

    shown = key if key.isprintable() and len(key) <= _SHOWN_CHARACTERS else repr(key[:40])
    known = tuple(known)
    nearest = difflib.get_close_matches(key[:200], known, n=1, cutoff=0.5)
    if nearest:
        return SettingsError(f"{shown} is not a {kind}. Did you mean {nearest[0]}?")
    one_of = f" The {kind}s are: {', '.join(known)}." if len(known) <= 30 else ""
    return SettingsError(f"{shown} is not a {kind}.{one_of}")


def _section(section: str, table: Any) -> dict[str, Any]:
    fields = tuple(field for field in SETTING_FIELDS if field.section == section)
    return _values(section, fields, table)


def _values(section: str, fields: tuple[SettingField, ...], table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SettingsError(f"{section} must be a section: write [{section}] and its keys below.")
    values = {}
    for name, value in table.items():
        field = _named(fields, name)
        try:
            values[name] = field.from_toml(value)
        except NotAllowed as error:
            raise SettingsError(f"{field.key} = {error}") from None
    return values


def _named(fields: tuple[SettingField, ...], name: str) -> SettingField:
    for field in fields:
        if field.name == name:
            return field
    section = fields[0].section
    raise unknown(f"{section}.{name}", [field.key for field in fields], "setting")


def _session_settings(values: dict[str, Any]) -> SessionSettings:
    own = {key: values.pop(key) for key in DEFAULTS_KEYS if key in values}
    sampling = msgspec.structs.replace(TERMINAL_SAMPLING, **values)
    return SessionSettings(sampling=sampling, **own).validated()


def _presets(table: Any) -> tuple[Preset, ...]:
    if not isinstance(table, dict):
        raise SettingsError("presets must hold sections: write [presets.NAME] and its keys below.")
    return tuple(preset_of(name, values) for name, values in table.items())


def preset_of(name: str, values: Any) -> Preset:
    """The preset in a table with an `explanation` and keys of `[defaults]`, all but `overflow`.

    Raises `SettingsError`.
    """
    _check_preset_name(name)
    explanation = ""
    if isinstance(values, Mapping):
        values = dict(values)
        explanation = values.pop("explanation", "")
    if not isinstance(explanation, str) or len(explanation) > _MAX_EXPLANATION:
        raise SettingsError(
            f"The explanation of {name} must be a text of at most {_MAX_EXPLANATION} characters."
        )
    section = f"{PRESETS_SECTION}.{name}"
    found = _values(section, sampling_fields(section), values)
    own = {key: found.pop(key) for key in SESSION_KEYS if key in found}
    return Preset(name, found, explanation=" ".join(explanation.split()), **own)


def _check_preset_name(name: str) -> None:
    if not _PRESET_NAME.fullmatch(name):
        raise SettingsError(
            f"The preset name {name[:_SHOWN_CHARACTERS]!r} is not allowed: 1 to 40 letters, "
            "digits, - and _."
        )


def preset_table(preset: Preset) -> dict[str, Any]:
    """The inverse of `preset_of`."""
    table: dict[str, Any] = {}
    if preset.explanation:
        table["explanation"] = preset.explanation
    for key in SESSION_KEYS:
        value = getattr(preset, key)
        if value is not None:
            table[key] = value
    for field in sampling_fields(PRESETS_SECTION):
        if field.name in preset.values:
            table[field.name] = field.to_toml(preset.values[field.name])
    return table


def _render_field(field: SettingField, table: Mapping[str, Any]) -> str:
    import tomli_w

    comment = f"# {field.explanation}\n# Allowed: {field.allowed}.\n"
    if field.name in table:
        return comment + tomli_w.dumps({field.name: table[field.name]})
    default = field.to_toml(value_of(Settings(), field))
    return comment + "#" + tomli_w.dumps({field.name: default})
