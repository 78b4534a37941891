"""Messages to fill a transcript with."""

from __future__ import annotations

from gemma_chat.host.protocol import MessageState, MessageView
from gemma_chat.terms import MessageRole


def message(
    number: int,
    text: str = "",
    *,
    role: MessageRole = "assistant",
    state: MessageState = "complete",
    error: str = "",
) -> MessageView:
    """A message that belongs to the turn of its number."""
    return MessageView(number, number, role, text, state, 0.0, error)


def history(count: int, *, first: int = 1) -> list[MessageView]:
    """`count` messages of different heights, numbered from `first` on."""
    return [
        message(
            number,
            "\n\n".join(f"message {number} paragraph {part}" for part in range(number % 5 + 1)),
            role="user" if number % 2 else "assistant",
        )
        for number in range(first, first + count)
    ]
