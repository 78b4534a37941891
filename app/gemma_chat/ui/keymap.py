"""The keys in effect: those of the table of actions, with those of the settings file laid over.

A key means one thing. Where the settings file gives a key to an action, an action that has it by
default loses it; where it gives the same key to two actions, the first one keeps it. Both, and a
name that does not exist, are told in a sentence, and the rest of the keymap holds all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gemma_chat.ui.actions import ACTIONS, TAB_NUMBERS, Action, key_name

_MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
_FUNCTION_KEYS = frozenset(f"f{number}" for number in range(1, 25))
_MOVING = frozenset(("up", "down", "left", "right", "home", "end", "backspace", "delete", "space"))
_SIGNS = {
    "_": "underscore",
    "/": "slash",
    "\\": "backslash",
    ".": "full_stop",
    ",": "comma",
    ";": "semicolon",
    ":": "colon",
    "-": "minus",
    "+": "plus",
    "=": "equals_sign",
    "'": "apostrophe",
    "`": "grave_accent",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
}
_ALONE = _FUNCTION_KEYS | {"enter", "escape", "tab", "insert", "pageup", "pagedown"}
"""Keys that type nothing and move nothing in the input: these need no modifier."""
_NAMED = _ALONE | _MOVING | frozenset(_SIGNS.values())
_SPELLINGS = {
    "esc": "escape",
    "return": "enter",
    "page up": "pageup",
    "page down": "pagedown",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "del": "delete",
    "ins": "insert",
    "control": "ctrl",
    "option": "alt",
    **_SIGNS,
}

NO_KEY = "no-key"
"""No terminal sends this: what Textual is told of an action that has lost all its keys."""

_SHOWN_CHARACTERS = 40
_MOST_KEYS = 9


@dataclass(frozen=True, slots=True)
class Keymap:
    """The actions with the keys in effect, and what was wrong with the person's keys."""

    actions: tuple[Action, ...] = ACTIONS
    problems: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, wishes: Mapping[str, Sequence[str]], actions: tuple[Action, ...] = ACTIONS
    ) -> Keymap:
        """The keymap of the `[keys]` section: action ids and the keys wanted for them."""
        problems: list[str] = []
        known = {action.id: action for action in actions}
        wanted: dict[str, tuple[str, ...]] = {}
        taken = _Taken()
        for id_, keys in wishes.items():
            action = known.get(id_)
            if action is None:
                problems.append(_unknown_action(id_, known))
                continue
            wanted[id_] = _keys_for(action, keys, taken, problems)
        final = []
        for action in actions:
            asked = wanted.get(action.id)
            if asked is None:
                asked = tuple(key for key in action.keys if not taken.by(key, action))
                problems += [
                    f"[keys] {key_name(key)} belongs to {taken.by(key, action)} now; "
                    f"{action.label!r} ({action.id}) {_left(action, asked)}."
                    for key in action.keys
                    if taken.by(key, action)
                ]
            final.append(action if asked == action.keys else replace(action, keys=asked))
        return cls(tuple(final), tuple(problems))

    def action(self, id_: str) -> Action:
        """The action with this id and its keys in effect; raises `KeyError`."""
        for action in self.actions:
            if action.id == id_:
                return action
        raise KeyError(id_)

    def first_key(self, id_: str) -> str:
        """The first key of an action as a person reads it, or an empty string."""
        keys = self.action(id_).keys
        return key_name(keys[0]) if keys else ""

    def shown(self, id_: str) -> str:
        """The first key of an action as a person reads it; without one, `offered`."""
        return self.first_key(id_) or self.offered(id_)

    def offered(self, id_: str) -> str:
        """A key and the label of an action: its own key, else that of the palette, if any."""
        key = self.first_key(id_) or self.first_key("program.palette")
        label = self.action(id_).label
        return f"{key}: {label}" if key else label

    @property
    def input_keys(self) -> dict[str, str]:
        """The keys that the input listens to, with the ids of their actions."""
        return {
            key: action.id
            for action in self.actions
            if action.where == "input"
            for key in action.keys
        }

    @property
    def new(self) -> tuple[Action, ...]:
        """The actions that have keys now and none by default."""
        pairs = zip(self.actions, ACTIONS, strict=True)
        return tuple(
            action
            for action, default in pairs
            if action.keys and not default.keys and action.where != "input"
        )

    @property
    def overrides(self) -> dict[str, str]:
        """What Textual's own keymap has to be told: only what differs from the table."""
        changed: dict[str, str] = {}
        for action, default in zip(self.actions, ACTIONS, strict=True):
            if action.keys == default.keys or not default.keys:
                continue
            if action.where not in ("everywhere", "transcript", "history", "models"):
                continue
            if action.id == TAB_NUMBERS:
                for number in range(1, len(default.keys) + 1):
                    key = action.keys[number - 1] if number <= len(action.keys) else NO_KEY
                    changed[f"{TAB_NUMBERS}.{number}"] = key
            else:
                changed[action.id] = ",".join(action.keys) or NO_KEY
        return changed


DEFAULT_KEYS: Final = Keymap()
"""The keys of the table, where no settings file has a say."""


class _Taken:
    """Which action has a key, in each place: the input and the transcript never listen at once."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], str] = {}

    def add(self, key: str, action: Action) -> None:
        """The key is this action's now."""
        for place in _places(action):
            self._owners[place, key] = action.id

    def by(self, key: str, action: Action) -> str:
        """Whose the key is where `action` listens; empty when it is nobody's."""
        owners = (self._owners.get((place, key), "") for place in _places(action))
        return next(filter(None, owners), "")


def _places(action: Action) -> tuple[str, ...]:
    if action.where in ("input", "transcript", "history", "models"):
        return (action.where,)
    # History and models are screens of their own: the keys of the window do not reach them.
    return ("input", "transcript")


def normal_key(text: str, *, typing: bool = True) -> str:
    """Textual's name of a key that a person wrote (`Ctrl+Page Up` is `ctrl+pageup`).

    Raises `ValueError` with the reason when no terminal has such a key, or, where a person types,
    it is needed for that.
    """
    shown = text[:_SHOWN_CHARACTERS]
    parts = [part.strip() for part in text.strip().split("+")]
    if text.strip().endswith("+"):
        parts = [*[part for part in parts if part], "plus"]
    last = parts[-1]
    name = last if len(last) == 1 and last.isupper() else last.lower()
    name = _SPELLINGS.get(name, name)
    modifiers = [_SPELLINGS.get(part.lower(), part.lower()) for part in parts[:-1]]
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            raise ValueError(f"{shown!r} is not a key: {modifier[:20]!r} is not a modifier")
    if name not in _NAMED and not (len(name) == 1 and name.isascii() and name.isalnum()):
        raise ValueError(f"{shown!r} is not the name of a key")
    if typing and not set(modifiers) - {"shift"} and name not in _ALONE:
        raise ValueError(f"{shown!r} is needed for typing; use it with ctrl or alt")
    ordered = [modifier for modifier in _MODIFIERS if modifier in modifiers]
    return "+".join((*ordered, name))


def _keys_for(
    action: Action, wanted: Sequence[str], taken: _Taken, problems: list[str]
) -> tuple[str, ...]:
    keys: list[str] = []
    for text in wanted[:_MOST_KEYS]:
        try:
            key = normal_key(text, typing=action.where != "transcript")
        except ValueError as error:
            problems.append(f"[keys] {action.id}: {error}. Write, for example, ctrl+g or f5.")
            continue
        owner = taken.by(key, action)
        if owner and owner != action.id:
            problems.append(
                f"[keys] {key_name(key)} is given to {owner} and to {action.id}; {owner} keeps it."
            )
        elif key not in keys:
            keys.append(key)
            taken.add(key, action)
    if wanted and not keys:
        # Nothing that was asked for can be had: better the old key than none.
        keys = [key for key in action.keys if not taken.by(key, action)]
        for key in keys:
            taken.add(key, action)
    return tuple(keys)


def _left(action: Action, keys: tuple[str, ...]) -> str:
    if keys:
        return f"is left with {' and '.join(map(key_name, keys[:3]))}"
    return f"has no key any more; give it one with {action.id!r} under [keys]"


def _unknown_action(id_: str, known: Mapping[str, Action]) -> str:
    import difflib

    shown = id_[:_SHOWN_CHARACTERS]
    nearest = difflib.get_close_matches(id_[:100], list(known), n=1, cutoff=0.5)
    advice = f"Did you mean {nearest[0]}?" if nearest else "`gemma-chat config keys` lists them."
    return f"[keys] {shown!r} is not an action. {advice}"
