"""Which stored messages a conversation goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gemma_chat.engine.interface import Media
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.store.records import Message


def _no_media(_: Message) -> tuple[Media, ...]:
    """Nothing is attached."""
    return ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A stored question and its reply."""

    question: Message
    reply: Message


def exchanges_of(messages: Iterable[Message]) -> tuple[Exchange, ...]:
    """The exchanges among `messages` (oldest first) that the model shall know.

    A question that was withdrawn, failed or was lost with the host stays in the transcript but is
    not among them. A reply that was stopped or interrupted is, as far as it goes.
    """
    questions: dict[int, Message] = {}
    exchanges: list[Exchange] = []
    asked = 0
    for message in messages:
        if message.role == "user":
            asked = message.turn
            if message.state == "complete":
                questions[message.turn] = message
            continue
        # A reply of another turn than its question's was regenerated, or went on later.
        turn = message.turn if message.turn in questions else asked
        if message.text.strip() and (question := questions.pop(turn, None)):
            exchanges.append(Exchange(question, message))
    return tuple(exchanges)


def history_of(
    messages: Iterable[Message], media_of: Callable[[Message], tuple[Media, ...]] = _no_media
) -> tuple[HistoryMessage, ...]:
    """What a chat goes on from: the messages of `exchanges_of`, in order.

    `media_of` gives what is attached to a message.
    """
    return tuple(
        HistoryMessage(message.role, message.text, message.turn, media=media_of(message))
        for exchange in exchanges_of(messages)
        for message in (exchange.question, exchange.reply)
    )
