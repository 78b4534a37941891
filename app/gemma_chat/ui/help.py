"""The help page: one table of all keys, made from the table of actions."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from gemma_chat.ui.actions import Action, grouped, key_name
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.signs import FAILED, HOLDING, UNREAD, circled

_KEY_CELLS = 26

SIGNS = (
    (HOLDING, "holds the generation lock: its reply is being made"),
    (circled(2), "second in the queue"),
    (UNREAD, "finished, not read yet"),
    (FAILED, "the last reply failed"),
)


def help_page() -> Content:
    """All actions with their keys, and the signs of the tab bar."""
    parts: list[Content] = []
    for group, actions in grouped():
        parts.append(Content.styled(f"{group}\n", "bold $ink-title"))
        for action in actions:
            parts += _lines(action)
        parts.append(Content("\n"))
    parts.append(Content.styled("Signs in the tab bar\n", "bold $ink-title"))
    for sign, meaning in SIGNS:
        parts.append(Content.styled(f"  {sign:<{_KEY_CELLS}}", "$ink-mark"))
        parts.append(Content(f"{meaning}\n"))
    return Content.assemble(*parts).rstrip()


def _lines(action: Action) -> list[Content]:
    keys = _keys(action)
    lines = [Content.styled(f"  {keys:<{_KEY_CELLS}}", "$ink-mark"), Content(action.label)]
    lines.append(Content.styled(f"\n  {'':<{_KEY_CELLS}}{action.explanation}\n", "$ink-quiet"))
    return lines


def _keys(action: Action) -> str:
    if not action.keys:
        return "palette"
    if action.id == "tab.number":
        return "alt+1 … alt+9"
    return " ".join(key_name(key) for key in action.keys[:2])


class HelpScreen(Dialog[None]):
    """Shows the help page; escape, f1 or q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,q", "give_up", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    HelpScreen DialogBox { width: 96; height: 90%; }
    HelpScreen VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    """

    def compose(self) -> ComposeResult:
        with (
            DialogBox("Help", "↑ ↓ page up page down scroll · esc closes"),
            VerticalScroll(),
        ):
            yield Static(help_page(), markup=False)
