"""What of a conversation goes into the prompt when it no longer fits whole.

Invariants, each a property test:

* the system instruction, pinned exchanges and the question are always in the prompt;
* what is replaced is the oldest exchanges, and never fewer than before;
* the last two exchanges stay unless the question would not fit beside them with room for a reply,
  and the last one unless it would not fit at all;
* when something is replaced, enough is that half of what prompts may take is free (as far as older
  exchanges allow), so that the next turns only add to the prompt and nothing is evaluated again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gemma_chat.config.sampling import Overflow
from gemma_chat.engine.interface import ChatMessage, Prompt
from gemma_chat.errors import ContextOverflowError
from gemma_chat.sessions.history import Exchange
from gemma_chat.sessions.replacement import NOTHING_REPLACED, Digest, Replacement

LEAST_REPLY = 16
"""A reply gets at least this many tokens of room before a turn is refused."""

KEPT = 2
"""So many of the last exchanges are replaced only when there is no other way."""

Render = Callable[[Replacement], Prompt]


@dataclass(frozen=True, slots=True)
class Window:
    """A prompt that fits, and what is replaced in it."""

    prompt: Prompt
    replacement: Replacement


@dataclass(frozen=True, slots=True)
class Space:
    """The window of a turn, in tokens: its size, and what is kept free for the reply."""

    size: int
    room: int

    @classmethod
    def of(cls, context_size: int, max_output_tokens: int | None) -> Space:
        """The reply gets its limit or a quarter of the window, the smaller."""
        quarter = context_size // 4
        room = quarter if max_output_tokens is None else min(max_output_tokens, quarter)
        return cls(context_size, room)

    @property
    def least(self) -> int:
        """The room without which a turn is refused."""
        return min(self.room, LEAST_REPLY)

    @property
    def target(self) -> int:
        """What a prompt is brought down to: half of what prompts may take."""
        return (self.size - self.room) // 2

    def holds(self, prompt: Prompt) -> bool:
        """Whether a prompt fits with the room for its reply."""
        return prompt.token_count + self.room <= self.size

    def is_nearly_full(self, prompt: Prompt) -> bool:
        """Whether a question of an eighth of the window might no longer fit behind `prompt`."""
        return prompt.token_count + self.room + self.size // 8 > self.size


def messages_of(
    system_instruction: str,
    exchanges: Sequence[Exchange],
    question: ChatMessage | None = None,
    *,
    replacement: Replacement = NOTHING_REPLACED,
    keep_thinking: bool = False,
) -> list[ChatMessage]:
    """A conversation as the chat template sees it.

    Without a question it goes on after the calls of the last exchange. What the model thought
    before it made them belongs to its work on the question that is still open, and stays.
    """
    messages = [ChatMessage("system", system_instruction)] if system_instruction.strip() else []
    messages += replacement.messages()
    for exchange in replacement.kept(exchanges):
        is_open = question is None and exchange is exchanges[-1] and bool(exchange.steps[-1].calls)
        messages += exchange.messages(thinking=keep_thinking or is_open)
    if question is not None:
        messages.append(question)
    return messages


def fit_window(
    render: Render,
    space: Space,
    *,
    exchanges: int,
    current: Replacement,
    fresh: Replacement,
    overflow: Overflow = "summary",
    prepared: Replacement | None = None,
    pinned: int = 0,
) -> Window:
    """Choose what is replaced in the prompt of a turn.

    Args:
        render: Makes the prompt with a replacement.
        space: The window and the room for the reply.
        exchanges: How many exchanges may be replaced at most.
        current: What is replaced until now.
        fresh: How more are to be replaced: its summary, and none of its `exchanges`.
        overflow: What is to be done when the window is full.
        prepared: What was decided beforehand, for when the window is full.
        pinned: How many exchanges are pinned, for the error.

    Raises:
        ContextOverflowError: The question does not fit, even alone, or must not displace anything.
    """
    prompt = render(current)
    if space.holds(prompt):
        return Window(prompt, current)
    if overflow == "stop":
        if prompt.token_count + space.least <= space.size:
            return Window(prompt, current)
        raise ContextOverflowError(_full(prompt, space))
    if prepared is not None:
        shorter = render(prepared)
        if space.holds(shorter):
            return Window(shorter, prepared)
    chosen = fewer(render, space, exchanges=exchanges, current=current, fresh=fresh)
    bare = replace(fresh, summary="", covered=0)
    for replacement in (
        chosen,
        replace(bare, exchanges=chosen.exchanges),
        replace(fresh, exchanges=exchanges),
        replace(bare, exchanges=exchanges),
    ):
        if replacement.exchanges < current.exchanges:
            continue
        prompt = render(replacement)
        if prompt.token_count + space.least <= space.size:
            return Window(prompt, replacement)
    raise ContextOverflowError(_too_long(prompt, space, pinned))


def fewer(
    render: Render, space: Space, *, exchanges: int, current: Replacement, fresh: Replacement
) -> Replacement:
    """`fresh` with so many exchanges that the prompt comes down to its target.

    The last exchange stays, and the last two when they fit.
    """
    most = exchanges - 1
    if current.exchanges >= most:
        return current
    counts = range(current.exchanges + 1, most)
    place = bisect_left(
        counts,
        True,
        key=lambda count: render(replace(fresh, exchanges=count)).token_count <= space.target,
    )
    count = counts.start + place
    last = exchanges - KEPT
    if current.exchanges < last < count and space.holds(render(replace(fresh, exchanges=last))):
        count = last
    return replace(fresh, exchanges=count)


def fresh_replacement(current: Replacement, digest: Digest, since: int) -> Replacement:
    """How more than `current` is replaced: with the summary that covers most of it."""
    if not digest.text or digest.exchanges < current.covered:
        return replace(current, exchanges=0, since=since)
    return Replacement(0, since, digest.text, digest.exchanges)


def _full(prompt: Prompt, space: Space) -> str:
    return (
        f"The context is full: this message and the conversation have {prompt.token_count} tokens, "
        f"and it holds {space.size}. The setting overflow is set to stop then; let a summary take "
        "the place of older turns, or go on in a new tab."
    )


def _too_long(prompt: Prompt, space: Space, pinned: int) -> str:
    beside = "the system instruction"
    remedy = "Shorten the message"
    if pinned:
        beside += f" and {pinned} pinned exchange{'s' if pinned > 1 else ''}"
        remedy = "Take a pin away, shorten the message"
    return (
        f"This message has {prompt.token_count} tokens with {beside}, and {space.least} are needed "
        f"for a reply; the context holds {space.size}. {remedy} or load the model with a larger "
        "context size."
    )
