"""The base of dialogs that ask for the path of a file."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Collection
from typing import ClassVar, Final, Generic

from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from gemma_chat.ui.attaching.attached import paths_like
from gemma_chat.ui.dialog import Dialog, ResultT

_LONGEST_PATH: Final = 4096


class PathSuggester(Suggester):
    """Goes on with the first path that begins as typed: a folder, or a file with these endings."""

    def __init__(self, suffixes: Collection[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._suffixes = suffixes

    async def get_suggestion(self, value: str) -> str | None:
        """The whole path, or `None` when nothing begins like this."""
        found = await asyncio.to_thread(paths_like, value, self._suffixes) if value else []
        return next((path for path in found if path != value), None)


class PathDialog(Dialog[ResultT], Generic[ResultT]):
    """Has a field in which tab goes on with a path."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    PathDialog Input, PathDialog Input:focus { border: none; height: 1; padding: 0; }
    """

    def field(self, placeholder: str, suffixes: Collection[str], typed: str = "") -> Input:
        """The field, which suggests folders and files with these endings."""
        return Input(
            typed,
            placeholder=placeholder,
            max_length=_LONGEST_PATH,
            suggester=PathSuggester(suffixes),
            # What stands there at first is to be changed, not to be written over.
            select_on_focus=not typed,
            compact=True,
        )

    def action_complete(self) -> None:
        """Take over what is suggested."""
        self.query_one(Input).action_cursor_right()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        if path := message.value.strip():
            self.take(path)

    @abstractmethod
    def take(self, path: str) -> None:
        """Close with this path, as it was typed."""
