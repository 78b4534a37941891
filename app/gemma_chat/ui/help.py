"""The help page: one table of all keys, made from the table of actions."""

from __future__ import annotations

import textwrap
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gemma_chat.ui.actions import TAB_NUMBERS, Action, grouped, key_name
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.input.slash import COMMANDS, SETTING
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.signs import FAILED, HOLDING, UNREAD, circled

KEY_CELLS = 22
LEAST_TEXT_CELLS = 24
_INDENT = "  "

SIGNS = (
    (HOLDING, "holds the generation lock"),
    (circled(2), "second in the queue"),
    (UNREAD, "finished, not read yet"),
    (FAILED, "the last reply failed"),
)


def help_page(cells: int, keymap: Keymap = DEFAULT_KEYS) -> Content:
    """All actions with their keys, commands and signs, wrapped to `cells` cells."""
    parts: list[Content] = []
    for group, actions in grouped(keymap.actions):
        parts.append(Content.styled(f"{group}\n", "bold $ink-title"))
        for action in actions:
            parts += _entry(_keys(action), action.label, action.explanation, cells)
        parts.append(Content("\n"))
    parts.append(Content.styled("Commands, typed into the input\n", "bold $ink-title"))
    for command in COMMANDS:
        # What an action does stands above already.
        explanation = command.explanation if command.id.startswith(SETTING) else ""
        parts += _entry(
            textwrap.wrap(command.usage, KEY_CELLS - 1), command.label, explanation, cells
        )
    parts += _entry(["//"], "A slash that is meant as text", "", cells)
    parts += _entry(["@"], "A file: its text goes into the message", "", cells)
    parts.append(Content("\n"))
    parts.append(Content.styled("Signs in the tab bar\n", "bold $ink-title"))
    for sign, meaning in SIGNS:
        parts += _entry([sign], meaning, "", cells)
    return Content.assemble(*parts).rstrip()


def _entry(keys: list[str], label: str, explanation: str, cells: int) -> list[Content]:
    """Keys at the left, one a line; what they do at the right, or below in a narrow window."""
    beside = cells - len(_INDENT) - KEY_CELLS
    if beside < LEAST_TEXT_CELLS:
        return _below(keys, label, explanation, cells)
    right = [(line, "$foreground") for line in textwrap.wrap(label, beside)]
    right += [(line, "$ink-quiet") for line in textwrap.wrap(explanation, beside)]
    lines = []
    for row in range(max(len(keys), len(right))):
        key = keys[row] if row < len(keys) else ""
        text, style = right[row] if row < len(right) else ("", "")
        lines += [
            Content.styled(f"{_INDENT}{key:<{KEY_CELLS}}", "$ink-mark"),
            Content.styled(text, style) if text else Content(""),
            Content("\n"),
        ]
    return lines


def _below(keys: list[str], label: str, explanation: str, cells: int) -> list[Content]:
    width = max(10, cells - 2 * len(_INDENT))
    lines = [
        Content.styled(f"{_INDENT}{line}\n", "$ink-mark")
        for line in textwrap.wrap("  ".join(keys), width)
    ]
    for text, style in ((label, "$foreground"), (explanation, "$ink-quiet")):
        for line in textwrap.wrap(text, width):
            lines.append(Content.styled(f"{2 * _INDENT}{line}\n", style))
    return lines


def _keys(action: Action) -> list[str]:
    if not action.keys:
        return ["in the palette"]
    if action.id == TAB_NUMBERS and len(action.keys) > 1:
        return [f"{key_name(action.keys[0])} … {key_name(action.keys[-1])}"]
    return [key_name(key) for key in action.keys[:2]]


class HelpScreen(Dialog[None]):
    """Shows the help page; escape, q or f1 closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,q", "give_up", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    HelpScreen DialogBox { width: 84; height: 90%; }
    HelpScreen.-low DialogBox { height: 100%; }
    HelpScreen VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    HelpScreen Static { text-wrap: nowrap; }
    """

    def __init__(self, keymap: Keymap) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with DialogBox("Help", "↑ ↓ scroll · esc closes"), VerticalScroll():
            yield Static(markup=False)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        page = self.query_one(Static)
        cells = self.query_one(VerticalScroll).content_region.width - 1
        page.update(help_page(cells, self._keymap))
