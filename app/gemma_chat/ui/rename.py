"""The dialogs that ask for a tab's title, and for a group's name."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input

from gemma_chat.host.protocol import MAX_GROUP_CHARACTERS, MAX_TITLE_CHARACTERS
from gemma_chat.ui.dialog import Dialog, DialogBox


class RenameDialog(Dialog[str]):
    """Answers with the new title; empty means that the summarizer chooses."""

    DEFAULT_CSS = """
    RenameDialog Input, RenameDialog Input:focus { border: none; height: 1; padding: 0; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title[:MAX_TITLE_CHARACTERS]

    def compose(self) -> ComposeResult:
        with DialogBox("Rename tab", "enter keeps · esc closes · empty: automatic"):
            yield Input(self._title, max_length=MAX_TITLE_CHARACTERS, compact=True)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        self.dismiss(message.value)


class GroupNameDialog(RenameDialog):
    """Answers with the new name of a group; empty means that it ends."""

    def compose(self) -> ComposeResult:
        with DialogBox("Rename group", "enter keeps · esc closes · empty: no group"):
            yield Input(self._title, max_length=MAX_GROUP_CHARACTERS, compact=True)
