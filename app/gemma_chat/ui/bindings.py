"""Textual's bindings, made from the table of actions."""

from __future__ import annotations

from textual.binding import Binding

from gemma_chat.ui.actions import ACTIONS, TAB_NUMBERS, Where
from gemma_chat.ui.actions import action as action_named


def bindings_of(where: Where, method: str) -> list[Binding]:
    """The keys that one part of the screen listens to; each calls `method` with the action's id.

    They have priority: a key of the table means the same wherever the keyboard is. Those of the
    input are not made here: it looks at each key itself, in the order in which they come.
    """
    return [
        Binding(
            ",".join(action.keys),
            f"{method}('{action.id}')",
            action.label,
            id=action.id,
            show=False,
            priority=True,
        )
        for action in ACTIONS
        if action.where == where and action.keys and action.id != TAB_NUMBERS
    ]


def tab_number_bindings(method: str) -> list[Binding]:
    """The keys of the first nine tabs; each calls `method` with the tab's number."""
    return [
        Binding(
            key,
            f"{method}({number})",
            id=f"{TAB_NUMBERS}.{number}",
            show=False,
            priority=True,
        )
        for number, key in enumerate(action_named(TAB_NUMBERS).keys, 1)
    ]
