"""The `[keys]` section: which keys a person wants for which action.

What they mean is not known here: only the terminal knows its actions and can judge the keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gemma_chat.errors import SettingsError

MAX_ACTIONS = 200
MAX_KEYS = 9
_MAX_CHARACTERS = 100

KeyWishes = tuple[tuple[str, tuple[str, ...]], ...]
"""Ids of actions and the keys wanted for them, none for an action that shall have none."""


def key_wishes_of(table: Any) -> KeyWishes:
    """The section as read from TOML; raises `SettingsError` when it has another shape.

    `"tab.new" = "ctrl+n"` and `tab.new = "ctrl+n"`, which TOML reads as a table in a table, are
    the same.
    """
    if not isinstance(table, dict):
        raise SettingsError('keys must be a section: write [keys] and "ACTION" = "KEY" below.')
    wishes = tuple(_flat("", table, depth=0))
    if len(wishes) > MAX_ACTIONS:
        raise SettingsError(f"keys has {len(wishes)} actions; at most {MAX_ACTIONS} are allowed.")
    return wishes


def _flat(
    before: str, table: dict[str, Any], *, depth: int
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in table.items():
        id_ = f"{before}{name}"
        if len(id_) > _MAX_CHARACTERS or not id_.isprintable():
            raise SettingsError(f"keys has a name that is no action's: {id_[:40]!r}.")
        if isinstance(value, dict) and depth < 2:
            yield from _flat(f"{id_}.", value, depth=depth + 1)
        else:
            yield id_, _keys(id_, value)


def _keys(id_: str, value: Any) -> tuple[str, ...]:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise SettingsError(f'keys.{id_} must be a key such as "ctrl+g", or a list of keys.')
    if len(keys) > MAX_KEYS or any(len(key) > _MAX_CHARACTERS for key in keys):
        raise SettingsError(
            f"keys.{id_} has too many keys, or one with too long a name; at most {MAX_KEYS} keys "
            "are allowed."
        )
    return tuple(key for key in keys if key.strip())
