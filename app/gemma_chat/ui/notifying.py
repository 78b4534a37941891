"""Tells a person who looks elsewhere that a reply has ended: by the bell, or on the desktop."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gemma_chat.config.schema import Notification
from gemma_chat.host.protocol import FinishReason, TurnFinished
from gemma_chat.ui.multiplexer import multiplexers, through
from gemma_chat.ui.text import one_line

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp

_BELL = "\a"
_ENDED_BY_THEMSELVES: tuple[FinishReason, ...] = ("stop", "length", "failed")
_TITLE_CELLS = 60


class Notifier:
    """Sends the notifications that the settings ask for."""

    def __init__(self, app: ChatApp, how: Notification) -> None:
        self._app = app
        self._how = how

    def ended(self, event: TurnFinished) -> None:
        """A turn has ended: say so, unless the person sees it or has stopped it."""
        app = self._app
        tab = app.state.tab(event.session)
        seen = app.app_focus and event.session in app.state.visible
        if tab is None or seen or event.reason not in _ENDED_BY_THEMSELVES or app.away.off_screen:
            return
        failed = event.reason == "failed"
        words = f"{tab.title}: {'the reply failed' if failed else 'the reply is there'}"
        app.write_to_terminal(sequence(self._how, words, os.environ))


def sequence(how: Notification, words: str, environment: Mapping[str, str]) -> str:
    """What is written to the terminal; empty for no notification.

    OSC 9 is iTerm2's, and is known to kitty, WezTerm, Ghostty, foot and Windows Terminal too. It
    begins with the program's name because `9;` and a digit means something else to some of them.
    """
    match how:
        case "none":
            return ""
        case "bell":
            return _BELL
        case "osc9":
            message = one_line(f"gemma-chat: {words}", _TITLE_CELLS)
            return through(f"\x1b]9;{message}\a", multiplexers(environment))
