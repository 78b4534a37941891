"""What can be done with one message as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemma_chat.host.protocol import MessageView
from gemma_chat.ui.actions import action
from gemma_chat.ui.state import TabState

if TYPE_CHECKING:
    from gemma_chat.ui.choice import Choice


def offered(tab: TabState, message: MessageView) -> list[Choice]:
    """The entries of its menu."""
    from gemma_chat.ui.choice import Choice

    waits, runs = message.state == "queued", message.state == "streaming"
    is_last = message.message == tab.last_message
    possible = {
        "message.copy": True,
        "message.code": "```" in message.text,
        "message.edit": message.role == "user",
        "message.regenerate": not waits,
        "message.regenerate_with": not waits,
        "message.continue": message.role == "assistant" and is_last and not runs,
        "branch.previous": message.branch > 1,
        "branch.next": message.branch < message.branches,
        "message.fork": not waits,
        "message.quote": True,
        "message.pin": True,
        "message.figures": reply_with_figures(tab, message) is not None,
        "message.delete": not runs,
        "queue.up": waits,
        "queue.down": waits,
    }
    names = {
        "message.delete": "Cancel" if waits else "Delete",
        "message.pin": "Take the pin away" if message.pinned else "Pin",
    }
    entries = (action(id_) for id_, is_possible in possible.items() if is_possible)
    return [Choice(one.id, names.get(one.id, one.label), "", one.keys[0]) for one in entries]


def reply_with_figures(tab: TabState, message: MessageView) -> MessageView | None:
    """The reply that a message is, or got, when its figures are known."""
    replies = (
        one
        for one in (message, *tab.conversation.messages)
        if one.role == "assistant" and one.turn == message.turn
    )
    reply = next(replies, None)
    return reply if reply is not None and reply.metrics is not None else None
