"""What a person does with the entries of the generation lock's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemma_chat.host.protocol import LockEntry
from gemma_chat.ui.lock_lines import Wish

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands


class LockCommands:
    """Carries out what is wished for an entry, of this tab or another."""

    def __init__(self, app: ChatApp, commands: Commands) -> None:
        self._app = app
        self._commands = commands

    def carry_out(self, wish: Wish, entry: LockEntry) -> None:
        """Go to the entry's tab, move it by a place, or end it."""
        match wish:
            case "go":
                self._go_to(entry.session or entry.about)
            case "cancel" if entry.session:
                self._commands.end_turn(entry)
            case _:
                self._app.spawn(self._app.calls.change_queue(entry.ticket, wish))

    def _go_to(self, session: int) -> None:
        if self._app.state.tab(session) is not None:
            self._commands.select(session)
        else:
            self._app.say("No tab shows this work; there is nothing to go to.", "information")
