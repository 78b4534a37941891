"""All that the screen shows, as data, and the one function that changes it.

`apply` takes an event of the host, or one of this terminal, and returns the next state. An event
that is out of date (its tab is closed, its turn is older than the newest one of that message)
changes nothing: the *same* object comes back, so that the caller can tell.

What the host and this terminal both know, a draft and a scroll position, belongs to the terminal:
the host's copy is taken over when the tab is new here. A draft that was taken over follows the
host's until somebody types at it here.
"""

from __future__ import annotations

from gemma_chat.ui.state.change import apply
from gemma_chat.ui.state.messages import text_is_missing
from gemma_chat.ui.state.terminal import (
    Conversation,
    DraftSource,
    Editing,
    Reading,
    TabState,
    TerminalState,
)

__all__ = [
    "Conversation",
    "DraftSource",
    "Editing",
    "Reading",
    "TabState",
    "TerminalState",
    "apply",
    "text_is_missing",
]
