"""The dialog that asks for the path of a file to attach."""

from __future__ import annotations

from textual.app import ComposeResult

from gemma_chat.media.limits import FORMATS
from gemma_chat.ui.attaching.attached import SUFFIXES
from gemma_chat.ui.dialog import DialogBox
from gemma_chat.ui.path_dialog import PathDialog


class AttachDialog(PathDialog[str]):
    """Answers with the path as it was typed."""

    def compose(self) -> ComposeResult:
        with DialogBox(f"Attach {FORMATS}", "tab completes · enter attaches · esc closes"):
            yield self.field("path of the file", SUFFIXES)

    def take(self, path: str) -> None:
        self.dismiss(path)
