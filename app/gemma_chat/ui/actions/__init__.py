"""The one table of what a person can do. Bindings, help, palette and the README are made from it.

`where` tells which part of the screen listens: `everywhere` also while a person types; `input`
in the input box only; `transcript` while a message is selected; `history` in the screen with all
conversations, `models` in that with all models. Keys that terminals swallow or garble (alt+enter
and alt+digit without `keys.teach_textual`, ctrl+tab, shift+enter in most) are extras beside one
that always arrives.

The keys here are the defaults; `keymap.py` lays those of the settings file over them. An action
with `slash` can also be typed into the input as a command, `/name`, with its argument.

Each module holds the actions about one subject; here they are one table.
"""

from __future__ import annotations

from collections.abc import Iterator

from gemma_chat.ui.actions.action import Action, Group, Where, key_name
from gemma_chat.ui.actions.history import HISTORY
from gemma_chat.ui.actions.messages import MESSAGES
from gemma_chat.ui.actions.places import PLACES, SEARCH
from gemma_chat.ui.actions.program import MODELS, PROGRAM
from gemma_chat.ui.actions.tabs import NEW_TAB, TAB_NUMBERS, TABS
from gemma_chat.ui.actions.writing import WRITING

__all__ = [
    "ACTIONS",
    "GROUPS",
    "TAB_NUMBERS",
    "Action",
    "Group",
    "Where",
    "action",
    "grouped",
    "key_name",
    "markdown_key_table",
]

ACTIONS: tuple[Action, ...] = (
    *WRITING,
    *NEW_TAB,
    *MESSAGES,
    *TABS,
    *HISTORY,
    *PLACES,
    *MODELS,
    *SEARCH,
    *PROGRAM,
)
"""In the order in which the palette and the list of commands show them."""

GROUPS: tuple[Group, ...] = (
    "Messages",
    "Input",
    "Tabs",
    "History",
    "Transcript",
    "Panels",
    "Model",
    "Program",
)


def action(id_: str) -> Action:
    """The action with this id; raises `KeyError`."""
    for candidate in ACTIONS:
        if candidate.id == id_:
            return candidate
    raise KeyError(id_)


def grouped(
    actions: tuple[Action, ...] = ACTIONS,
) -> Iterator[tuple[Group, tuple[Action, ...]]]:
    """The groups in their order, each with its actions."""
    for group in GROUPS:
        yield group, tuple(action for action in actions if action.group == group)


def markdown_key_table() -> str:
    """The key table of the README."""
    rows = ["| keys | what | |", "|---|---|---|"]
    for _, actions in grouped():
        for each in actions:
            keys = " ".join(f"`{key_name(key)}`" for key in _shown_keys(each)) or "palette"
            rows.append(f"| {keys} | {each.label} | {each.explanation} |")
    return "\n".join(rows).replace("\\", "\\\\") + "\n"


def _shown_keys(each: Action) -> tuple[str, ...]:
    return (each.keys[0], each.keys[-1]) if each.id == TAB_NUMBERS else each.keys
