"""The history of a conversation: messages outside, whole exchanges inside.

An exchange is a question and all that the model said to it: one step, or with tools several. A step
is one reply of the model; when it makes calls, their results follow and the next step goes on from
there. Only whole exchanges are kept, and every call has a result whatever became of it, so a chat
template that insists on an order of roles is never given anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gemma_chat.engine.interface import ChatMessage, Media, ToolCall

log = logging.getLogger(__name__)

UNANSWERED = "This call was not carried out."
"""The result of a call that nobody answered before the conversation went on."""

Outcome = Literal["answered", "refused", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What became of the call `call_id`; `text` is what the model is told, also of a failure.

    turn = session.start_turn(results=[ToolResult(call.id, "21 °C")])
    """

    call_id: str
    text: str
    outcome: Outcome = "answered"


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One message of a conversation; all messages of one exchange carry the number of its turn.

    `thinking` and `tool_calls` belong to a message of the assistant. A message of the role `tool`
    is the result of the call `tool_call_id` of the tool `tool_name`.

        told = [HistoryMessage("user", "I am Ann."), HistoryMessage("assistant", "Hello, Ann.")]
        chat = await model.open_chat(history=told)
    """

    role: Literal["user", "assistant", "tool"]
    text: str
    turn: int = 0
    thinking: str = ""
    thinking_seconds: float = 0.0
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""
    outcome: Outcome = "answered"
    media: tuple[Media, ...] = ()
    """The images and recordings of a message of the user, which stand before its text."""
    pinned: bool = False
    """It stays in the prompt, with the exchange it belongs to, also when the window is full."""


@dataclass(frozen=True, slots=True)
class Step:
    """One reply of the model within an exchange, with the results of its calls."""

    text: str
    thinking: str = ""
    thinking_seconds: float = 0.0
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()

    @property
    def awaits_results(self) -> bool:
        """Whether it made calls that nobody has answered yet."""
        return bool(self.calls) and not self.results

    def answers(self) -> tuple[ToolResult, ...]:
        """A result for every call, in the order of the calls."""
        known = {result.call_id: result for result in self.results}
        return tuple(known.get(call.id) or _without_result(call) for call in self.calls)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its reply, step by step. One that is `pinned` is never replaced."""

    turn: int
    question: str
    steps: tuple[Step, ...]
    media: tuple[Media, ...] = ()
    pinned: bool = False

    @property
    def calls(self) -> int:
        """How many calls were made in it."""
        return sum(len(step.calls) for step in self.steps)

    def messages(self, *, thinking: bool = False) -> tuple[ChatMessage, ...]:
        """As the chat template sees it, with or without what the model thought."""
        asked = ChatMessage("user", self.question, media=self.media)
        return (asked, *self._replies(thinking=thinking))

    def _replies(self, *, thinking: bool) -> Iterator[ChatMessage]:
        for step in self.steps:
            thoughts = step.thinking if thinking else ""
            yield ChatMessage("assistant", step.text, thinking=thoughts, tool_calls=step.calls)
            for call, answer in zip(step.calls, step.answers(), strict=True):
                yield ChatMessage("tool", answer.text, tool_call_id=call.id, tool_name=call.name)


def flatten(exchanges: Iterable[Exchange]) -> tuple[HistoryMessage, ...]:
    """The messages of `exchanges`."""
    return tuple(message for one in exchanges for message in _messages(one))


def _messages(exchange: Exchange) -> Iterator[HistoryMessage]:
    turn = exchange.turn
    yield HistoryMessage(
        "user", exchange.question, turn, media=exchange.media, pinned=exchange.pinned
    )
    for step in exchange.steps:
        yield HistoryMessage(
            "assistant",
            step.text,
            turn,
            thinking=step.thinking,
            thinking_seconds=step.thinking_seconds,
            tool_calls=step.calls,
        )
        for call, answer in zip(step.calls, step.answers(), strict=True):
            yield HistoryMessage(
                "tool",
                answer.text,
                turn,
                tool_call_id=call.id,
                tool_name=call.name,
                outcome=answer.outcome,
            )


def restore(messages: Iterable[HistoryMessage]) -> tuple[Exchange, ...]:
    """The exchanges of a stored conversation.

    A question without a reply (its turn was interrupted before the first word), a reply without
    a question and a result without its call are left out, as if they had not been. A call without
    a result gets one that says so. Turn numbers are kept where they grow.
    """
    exchanges: list[Exchange] = []
    question: HistoryMessage | None = None
    steps: list[Step] = []
    pinned = False

    def close() -> None:
        if question is not None and steps:
            last = exchanges[-1].turn if exchanges else 0
            turn = question.turn if question.turn > last else last + 1
            text = well_formed(question.text)
            exchanges.append(Exchange(turn, text, tuple(steps), question.media, pinned))
        elif question is not None:
            log.info("left a question without reply out of a restored history")

    for message in messages:
        if message.role == "user":
            close()
            question, steps, pinned = message, [], message.pinned
        elif message.role == "tool":
            _restore_result(steps, message)
        elif _may_follow(question, steps, message):
            steps.append(_restored_step(message))
            pinned = pinned or message.pinned
        else:
            log.info("left a reply without question, or an empty one, out of a restored history")
    close()
    return tuple(exchanges)


def _may_follow(
    question: HistoryMessage | None, steps: Sequence[Step], message: HistoryMessage
) -> bool:
    """Whether a reply has a place: after a question or after calls, and with something in it."""
    has_place = question is not None and (not steps or bool(steps[-1].calls))
    return has_place and bool(message.text.strip() or message.tool_calls)


def _restored_step(message: HistoryMessage) -> Step:
    return Step(
        well_formed(message.text),
        well_formed(message.thinking),
        message.thinking_seconds,
        message.tool_calls,
        tuple(map(_without_result, message.tool_calls)),
    )


def _restore_result(steps: list[Step], message: HistoryMessage) -> None:
    calls = steps[-1].calls if steps else ()
    if not any(call.id == message.tool_call_id for call in calls):
        log.info("left a result without its call out of a restored history")
        return
    result = ToolResult(message.tool_call_id, well_formed(message.text), message.outcome)
    others = [one for one in steps[-1].results if one.call_id != result.call_id]
    steps[-1] = replace(steps[-1], results=_in_order(calls, (*others, result)))


def _in_order(calls: Iterable[ToolCall], results: Iterable[ToolResult]) -> tuple[ToolResult, ...]:
    place = {call.id: at for at, call in enumerate(calls)}
    return tuple(sorted(results, key=lambda result: place[result.call_id]))


def _without_result(call: ToolCall) -> ToolResult:
    if call.error:
        return ToolResult(call.id, call.error, "failed")
    return ToolResult(call.id, UNANSWERED, "stopped")


def well_formed(text: str) -> str:
    """`text` with every half of a surrogate pair replaced: such text has no UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
