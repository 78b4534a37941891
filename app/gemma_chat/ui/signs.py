"""The signs by which a tab tells how it is, wherever it is named. Never colour alone."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemma_chat.ui.state import TabState, TerminalState

SignKind = Literal["none", "asking", "calling", "holding", "waiting", "failed", "unread", "loading"]

ASKING = "?"
CALLING = "»"
HOLDING = "●"
FREE = "○"
UNREAD = "✓"
FAILED = "!"
LOADING = "◌"

_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"


class Sign(msgspec.Struct, frozen=True):
    """A sign, and what it means."""

    text: str = ""
    kind: SignKind = "none"
    meaning: str = ""


_NONE = Sign()


def circled(number: int) -> str:
    """A place in the queue, from 1: `③`, and `(21)` where there is no such sign."""
    return _CIRCLED[number - 1] if 1 <= number <= len(_CIRCLED) else f"({number})"


def sign_of(state: TerminalState, tab: TabState) -> Sign:
    """What the tab's label shows behind the title."""
    if tab.view.asking:
        return Sign(ASKING, "asking", "asks whether a tool may be called")
    if any(one.session == tab.session and not one.background for one in state.lock.holders):
        return Sign(HOLDING, "holding", "generating")
    for place, entry in enumerate(state.lock.waiting, 1):
        if entry.session == tab.session and not entry.background:
            return Sign(circled(place), "waiting", f"waiting, number {place}")
    if tab.view.calling:
        return Sign(CALLING, "calling", "a tool runs")
    if tab.view.failed:
        return Sign(FAILED, "failed", "the last reply failed")
    if tab.view.unread and tab.session not in state.visible:
        return Sign(UNREAD, "unread", "finished, not read")
    if tab.conversation.reading == "loading":
        return Sign(LOADING, "loading", "loading")
    return _NONE
