"""The history of a conversation: messages outside, whole exchanges inside.

An exchange is a question with its reply. Only whole exchanges are kept, so a chat template that
insists on alternating roles is never given anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gemma_chat.engine.interface import ChatMessage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One message of a conversation; question and reply carry the number of their turn."""

    role: Literal["user", "assistant"]
    text: str
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its reply. `left_out` exchanges before it were not in its prompt."""

    turn: int
    question: str
    reply: str
    left_out: int = 0

    def messages(self) -> tuple[ChatMessage, ChatMessage]:
        """As the chat template sees it."""
        return ChatMessage("user", self.question), ChatMessage("assistant", self.reply)


def flatten(exchanges: Iterable[Exchange]) -> tuple[HistoryMessage, ...]:
    """The messages of `exchanges`."""
    return tuple(
        message
        for one in exchanges
        for message in (
            HistoryMessage("user", one.question, one.turn),
            HistoryMessage("assistant", one.reply, one.turn),
        )
    )


def restore(messages: Iterable[HistoryMessage]) -> tuple[Exchange, ...]:
    """The exchanges of a stored conversation.

    A question without a reply (its turn was interrupted before the first word) and a reply without
    a question are left out, as if they had not been. Turn numbers are kept where they grow.
    """
    exchanges: list[Exchange] = []
    question: HistoryMessage | None = None
    for message in messages:
        if message.role == "user":
            if question is not None:
                log.info("left a question without reply out of a restored history")
            question = message
        elif question is None or not message.text.strip():
            log.info("left a reply without question, or an empty one, out of a restored history")
        else:
            last = exchanges[-1].turn if exchanges else 0
            turn = message.turn if message.turn > last else last + 1
            exchanges.append(Exchange(turn, well_formed(question.text), well_formed(message.text)))
            question = None
    return tuple(exchanges)


def well_formed(text: str) -> str:
    """`text` with every half of a surrogate pair replaced: such text has no UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
