"""What an event makes the terminal do beside showing what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemma_chat.host import protocol as p
from gemma_chat.ui.input_draft import InputDraft
from gemma_chat.ui.keeping import Keeper
from gemma_chat.ui.notifying import Notifier
from gemma_chat.ui.own_events import AnyEvent, LinkChanged, MessagesFetched
from gemma_chat.ui.state import TerminalState

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands


class Consequences:
    """Tells those parts of the program that an event concerns."""

    def __init__(
        self, app: ChatApp, commands: Commands, keeper: Keeper, input_draft: InputDraft
    ) -> None:
        self._app = app
        self._commands = commands
        self._keeper = keeper
        self._input_draft = input_draft
        self._notifier = Notifier(app, app.settings.terminal.notify)

    def follow(self, event: AnyEvent, before: TerminalState) -> None:
        """The state has taken `event` in, and was `before` until then."""
        app, messages = self._app, self._commands.messages
        if before.selected and before.active != app.state.active:
            messages.leave()
        match event:
            case MessagesFetched() | p.MessageChanged():
                messages.arrived(event.session)
            case LinkChanged() if event.link.phase in ("lost", "silent"):
                app.say(event.link.sentence, "warning")
            case LinkChanged() if event.link.phase == "failed":
                # Where the page says it, a toast would only cover that.
                if not app.window.explains(app.state):
                    app.say(event.link.sentence, "error")
            case p.Notice():
                app.say(event.text, event.level)
            case p.TurnFinished():
                self._notifier.ended(event)
                messages.ended(event)
                if event.error:
                    app.say(event.error, "error")
            case p.TranscriptChanged() | p.MessageRemoved() if event.session == before.active:
                if before.selected and not self._is_shown(before.selected):
                    messages.lost(event.session, before.selected)
                messages.arrived(event.session)
            case p.SessionClosed():
                self._keeper.closed(event.session)
                self._input_draft.forget(event.session)
            case p.Snapshot():
                self._keeper.forget()
                self._keeper.tell_drafts(app.state)
                if not event.sessions:
                    self._commands.new_tab()
                self._commands.models.arrived(event.model)

    def _is_shown(self, message: int) -> bool:
        tab = self._app.state.active_tab
        return tab is not None and tab.message(message) is not None
