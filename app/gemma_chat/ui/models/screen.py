"""The picker: all models, to load, download and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.models.pane import ModelPane
from gemma_chat.ui.state import TerminalState

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.models.commands import ModelCommands


class ModelScreen(Dialog[None]):
    """Stays open while downloads run in it; closes when a model is being loaded."""

    DEFAULT_CSS = """
    ModelScreen DialogBox { width: 120; height: 100%; max-height: 36; }
    """

    def __init__(self, app: ChatApp, commands: ModelCommands) -> None:
        super().__init__()
        self._commands = commands
        self.pane = ModelPane(app.state, app.calls, app.spawn, app.keymap)

    def compose(self) -> ComposeResult:
        with DialogBox("Models", "esc closes"):
            yield self.pane

    def show_state(self, state: TerminalState) -> None:
        self.pane.show_state(state)

    def on_model_pane_wanted(self, message: ModelPane.Wanted) -> None:
        message.stop()
        self._commands.carry_out(message.wish, message.line, self)
