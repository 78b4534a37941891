"""The settings file: reading it never writes, writing it is all or nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemma_chat.config.document import (
    field_of,
    parse_document,
    render,
    setting_text,
    to_document,
    to_settings,
    value_of,
)
from gemma_chat.config.fields import SETTING_FIELDS
from gemma_chat.config.paths import Paths
from gemma_chat.config.presets import Preset
from gemma_chat.config.schema import (
    EngineSettings,
    HostSettings,
    MemorySettings,
    ModelSettings,
    ServerSettings,
    Settings,
    SummarizerSettings,
    TerminalSettings,
)
from gemma_chat.config.setting_field import NotAllowed, SettingField
from gemma_chat.errors import SettingsError
from gemma_chat.quantities import MB, byte_size

__all__ = [
    "SETTING_FIELDS",
    "EngineSettings",
    "HostSettings",
    "MemorySettings",
    "ModelSettings",
    "Preset",
    "ServerSettings",
    "SettingField",
    "Settings",
    "SummarizerSettings",
    "TerminalSettings",
    "change",
    "load_settings",
    "read_settings",
    "render",
    "reset",
    "save_settings",
    "setting_text",
    "value_of",
]

MAX_FILE_BYTES = 8 * MB


def load_settings(paths: Paths) -> Settings:
    """The settings of a profile; the defaults when it has no settings file yet."""
    return read_settings(paths.settings_file)


def read_settings(settings_file: Path) -> Settings:
    """Read and check a settings file; the defaults when it does not exist.

    Raises `SettingsError` that names the file, the key or line, and what is allowed.
    """
    try:
        return to_settings(parse_document(_read_text(settings_file)))
    except FileNotFoundError:
        return Settings()
    except SettingsError as error:
        raise SettingsError(f"The settings file {settings_file}: {error}") from None
    except OSError as error:
        raise SettingsError(
            f"The settings file {settings_file} cannot be read ({error.strerror})."
        ) from None


def save_settings(settings_file: Path, settings: Settings) -> None:
    """Write all settings, with an explanation of each, in one step (0600).

    Raises `SettingsError` and changes nothing when the file that is there is not a valid settings
    file, or cannot be written.
    """
    read_settings(settings_file)
    text = render(settings)
    to_settings(parse_document(text))
    _replace(settings_file, text)


def change(settings_file: Path, key: str, text: str) -> Settings:
    """Set one setting, named by its dotted key, to what a person typed, and save it.

    Returns the settings as they are now. Raises `SettingsError` and changes nothing when the key
    or value is not allowed.
    """
    field = field_of(key)
    try:
        value = field.to_toml(field.parse(text))
    except NotAllowed as error:
        raise SettingsError(f"{key} = {error}") from None

    def put(table: dict[str, Any]) -> None:
        table[field.name] = value

    return _edit(settings_file, field, put)


def reset(settings_file: Path, key: str) -> Settings:
    """Give one setting its default again and save; returns the settings as they are now."""
    field = field_of(key)

    def remove(table: dict[str, Any]) -> None:
        table.pop(field.name, None)

    return _edit(settings_file, field, remove)


def _edit(
    settings_file: Path, field: SettingField, edit: Callable[[dict[str, Any]], None]
) -> Settings:
    document = to_document(read_settings(settings_file))
    section, _, preset = field.section.partition(".")
    table = document.setdefault(section, {})
    if preset:
        table = table.setdefault(preset, {})
    edit(table)
    if preset and not table:
        del document[section][preset]
    settings = to_settings(document)
    save_settings(settings_file, settings)
    return settings


def _read_text(settings_file: Path) -> str:
    with open(settings_file, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise SettingsError("it is a device or a pipe.")
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(f"it is larger than {byte_size(MAX_FILE_BYTES)}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"it is not UTF-8 text (at line {line}).") from None


def _without_waiting(path: str, flags: int) -> int:
    """Open as usual, but do not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _replace(settings_file: Path, text: str) -> None:
    """Put `text` in the place of the file, so that a reader finds the old or the new whole."""
    # A settings file that is a link, as with managed dot files, stays one.
    target = settings_file.resolve()
    try:
        import tempfile

        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        raise SettingsError(
            f"The settings file {settings_file} cannot be written ({error.strerror}); it was left "
            "as it is."
        ) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
