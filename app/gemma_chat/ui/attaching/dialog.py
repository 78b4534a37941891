"""The dialog that asks for the path of a file to attach."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from gemma_chat.media.limits import FORMATS
from gemma_chat.ui.attaching.attached import SUFFIXES, paths_like
from gemma_chat.ui.dialog import Dialog, DialogBox

_LONGEST_PATH = 4096


class PathSuggester(Suggester):
    """Goes on with the first path that begins as typed: a folder, or a file with these endings."""

    def __init__(self, suffixes: Collection[str] = SUFFIXES) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes = suffixes

    async def get_suggestion(self, value: str) -> str | None:
        """The whole path, or `None` when nothing begins like this."""
        found = await asyncio.to_thread(paths_like, value, self._suffixes) if value else []
        return next((path for path in found if path != value), None)


class AttachDialog(Dialog[str]):
    """Answers with the path as it was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    AttachDialog Input, AttachDialog Input:focus { border: none; height: 1; padding: 0; }
    """

    def compose(self) -> ComposeResult:
        with DialogBox(f"Attach {FORMATS}", "tab completes · enter attaches · esc closes"):
            yield Input(
                placeholder="path of the file",
                max_length=_LONGEST_PATH,
                suggester=PathSuggester(),
                compact=True,
            )

    def action_complete(self) -> None:
        """Take over what is suggested."""
        self.query_one(Input).action_cursor_right()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        if message.value.strip():
            self.dismiss(message.value.strip())
