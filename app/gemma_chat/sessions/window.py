"""What of a conversation goes into the prompt when it no longer fits whole.

Invariants, each a property test:

* the system instruction and the question are always in the prompt;
* what is left out is the oldest exchanges, and never fewer than before;
* the last exchange stays unless the question would not fit beside it at all;
* when something is left out, enough is that a quarter of the window is free beside the room for
  the reply (as far as older exchanges allow), so that the next turns only add to the prompt and
  nothing is evaluated again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemma_chat.engine.interface import ChatMessage, Prompt
from gemma_chat.errors import ContextOverflowError
from gemma_chat.sessions.history import Exchange

LEAST_REPLY = 16
"""A reply gets at least this many tokens of room before a turn is refused."""


@dataclass(frozen=True, slots=True)
class Window:
    """A prompt that fits, and how many of the oldest exchanges are not in it."""

    prompt: Prompt
    left_out: int


def reply_room(context_size: int, max_output_tokens: int | None) -> int:
    """The tokens kept free for the reply: its limit or a quarter of the window, the smaller."""
    quarter = context_size // 4
    return quarter if max_output_tokens is None else min(max_output_tokens, quarter)


def messages_of(
    system_instruction: str,
    exchanges: Sequence[Exchange],
    question: ChatMessage | None = None,
    *,
    keep_thinking: bool = False,
) -> list[ChatMessage]:
    """A conversation as the chat template sees it.

    Without a question it goes on after the calls of the last exchange. What the model thought
    before it made them belongs to its work on the question that is still open, and stays.
    """
    messages = [ChatMessage("system", system_instruction)] if system_instruction.strip() else []
    for place, exchange in enumerate(exchanges, 1):
        is_last = place == len(exchanges)
        is_open = question is None and is_last and bool(exchange.steps[-1].calls)
        messages += exchange.messages(thinking=keep_thinking or is_open)
    if question is not None:
        messages.append(question)
    return messages


def fit_window(
    render: Callable[[int], Prompt],
    *,
    exchanges: int,
    left_out: int,
    context_size: int,
    room: int,
) -> Window:
    """Choose how many of the oldest exchanges to leave out.

    Args:
        render: Makes the prompt without that many of the oldest exchanges.
        exchanges: How many exchanges the history has.
        left_out: How many were left out of the turn before.
        context_size: The window in tokens.
        room: Tokens to keep free for the reply.

    Raises:
        ContextOverflowError: The question does not fit, even alone.
    """
    left_out = min(left_out, exchanges)
    prompt = render(left_out)
    if prompt.token_count + room <= context_size:
        return Window(prompt, left_out)
    most = exchanges - 1
    if left_out < most:
        target = context_size - room - context_size // 4
        skips = range(left_out + 1, most)
        left_out = (left_out + 1) + bisect_left(
            skips, True, key=lambda skip: render(skip).token_count <= target
        )
        prompt = render(left_out)
    if left_out < exchanges and prompt.token_count + min(room, LEAST_REPLY) > context_size:
        left_out = exchanges
        prompt = render(left_out)
    needed = prompt.token_count + min(room, LEAST_REPLY)
    if needed > context_size:
        raise ContextOverflowError(
            f"This message has {prompt.token_count} tokens with the system instruction, and "
            f"{min(room, LEAST_REPLY)} are needed for a reply; the context holds {context_size}. "
            "Shorten the message or load the model with a larger context size."
        )
    return Window(prompt, left_out)
