"""Which stored messages a conversation goes on from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gemma_chat.engine.interface import Media, ToolCall
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.store.records import Message, Thought, ToolUse


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
        if _says_something(message) and (question := questions.pop(turn, None)):
            exchanges.append(Exchange(question, message))
    return tuple(exchanges)


def history_of(
    messages: Iterable[Message], media_of: Callable[[Message], tuple[Media, ...]] = _no_media
) -> tuple[HistoryMessage, ...]:
    """What a chat goes on from: the messages of `exchanges_of`, in order.

    `media_of` gives what is attached to a message.
    """
    return tuple(
        message
        for exchange in exchanges_of(messages)
        for message in (
            HistoryMessage(
                "user",
                exchange.question.text,
                exchange.question.turn,
                media=media_of(exchange.question),
                pinned=exchange.question.pinned or exchange.reply.pinned,
            ),
            *_steps(exchange.reply),
        )
    )


def _says_something(reply: Message) -> bool:
    return bool(reply.text.strip()) or any(isinstance(one, ToolUse) for one in reply.asides)


def _steps(reply: Message) -> Iterator[HistoryMessage]:
    """What the model said step by step, with the results between the steps."""
    last = max((aside.step for aside in reply.asides), default=0)
    begin = 0
    for step in range(last + 2):
        asides = [aside for aside in reply.asides if aside.step == step]
        uses = [aside for aside in asides if isinstance(aside, ToolUse)]
        thoughts = [aside for aside in asides if isinstance(aside, Thought)]
        end = uses[-1].at if uses else len(reply.text)
        text = reply.text[begin:end]
        begin = end
        if text.strip() or uses:
            yield HistoryMessage(
                "assistant",
                text,
                reply.turn,
                thinking="\n\n".join(thought.text for thought in thoughts),
                thinking_seconds=sum(thought.seconds for thought in thoughts),
                tool_calls=tuple(
                    ToolCall(use.call, use.name, use.arguments, use.error) for use in uses
                ),
            )
        yield from (_result(use, reply.turn) for use in uses if use.result)


def _result(use: ToolUse, turn: int) -> HistoryMessage:
    outcome = "stopped" if use.outcome == "waiting" else use.outcome
    return HistoryMessage(
        "tool",
        use.result,
        turn,
        tool_call_id=use.call,
        tool_name=use.name,
        outcome=outcome,
    )
