"""One turn on the real model: prefill in micro-batches, then token by token.

The last token of a prompt is always evaluated alone. That costs one decode step a turn and buys
exactness: whether a turn is new, regenerated from a saved state, or preempted and resumed, the
model sees the same tokens in the same batches and so gives the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gemma_chat.engine.context import Context
from gemma_chat.engine.evaluation import Evaluation
from gemma_chat.engine.interface import (
    Ended,
    EndReason,
    Generated,
    Interrupted,
    Prefill,
    ReplyPart,
    Step,
)
from gemma_chat.engine.reply_tokens import ReplyTokens, said
from gemma_chat.engine.sampler import Sampler
from gemma_chat.errors import EngineCrashedError


class LlamaTurn:
    """See `gemma_chat.engine.interface.TurnRun`."""

    def __init__(
        self,
        context: Context,
        evaluation: Evaluation,
        *,
        prompt: list[int],
        tail: int,
        sampler: Sampler,
        reply: ReplyTokens,
        limit: int,
    ) -> None:
        self._context = context
        self._evaluation = evaluation
        self._tokens = prompt
        self._prompt_length = len(prompt)
        self._boundary = max(0, len(prompt) - 1 - tail)
        """What the next prompt begins with, but for the token that is evaluated alone."""
        self._sampler = sampler
        self._reply = reply
        self._limit = limit
        self._state: Literal["running", "over", "finished"] = "running"
        self.counts = evaluation.counts

    @property
    def prompt_tokens(self) -> int:
        """The length of the whole prompt, in tokens."""
        return self._prompt_length

    def interrupt(self) -> None:
        """See the interface."""
        self._evaluation.interrupt()

    # ------------------------------------------------------------ engine thread

    def step(self) -> Step:
        """See the interface."""
        if self._evaluation.take_interrupt():
            return Interrupted()
        try:
            self._evaluation.settle()
            step = self._advance()
        except EngineCrashedError:
            self._evaluation.forget()
            self._state = "over"
            raise
        if isinstance(step, Interrupted):
            self._evaluation.take_interrupt()
        elif isinstance(step, Ended):
            self._state = "over"
        return step

    def _advance(self) -> Step:
        work = self._evaluation
        done = work.done
        if done < self._boundary:
            if not self._evaluate(done + work.next_chunk(self._boundary)):
                return Interrupted()
            return Prefill(work.done, self._prompt_length)
        if done == self._boundary:
            work.mark()
        if done < len(self._tokens):
            # After its state was lost more than one token may be behind. They are evaluated one
            # by one as they were the first time: other batches would round differently.
            if not self._evaluate(done + 1):
                return Interrupted()
            if work.done < self._prompt_length:
                return Prefill(work.done, self._prompt_length)
            if work.done < len(self._tokens):
                return Generated("")
        return self._sample()

    def _evaluate(self, end: int) -> bool:
        """Evaluate the tokens up to `end`; `False` when interrupted."""
        work = self._evaluation
        return work.evaluate(self._tokens[work.done : end], self._prompt_length)

    def _sample(self) -> Step:
        token = self._sampler.sample(self._context.handle)
        if token is None or self._reply.is_ended_by(token):
            return self._end("stop")
        self.counts.generated += 1
        self._tokens.append(token)
        parts = self._reply.feed(token)
        if self._reply.stopped:
            return self._end("stop", parts)
        room = self._context.context_size - len(self._tokens)
        if self.counts.generated >= self._limit or room <= 0:
            return self._end("length", parts)
        # What closes a thought by force is evaluated as if it had been sampled.
        for forced in self._reply.forced(room - 1):
            self.counts.generated += 1
            self._tokens.append(forced)
            parts = (*parts, *self._reply.feed(forced))
        return Generated(*said(parts))

    def _end(self, reason: EndReason, parts: Sequence[ReplyPart] = ()) -> Ended:
        return Ended(reason, *said((*parts, *self._reply.flush(cut=reason == "length"))))

    def give_way(self) -> None:
        """See the interface. The streams keep everything; `settle` finds out whether they did."""
        self._evaluation.take_interrupt()

    def finish(self) -> str:
        """See the interface."""
        if self._state == "finished":
            return ""
        text = "" if self._state == "over" else self._reply.drop()
        self._state = "finished"
        self._evaluation.take_interrupt()
        self._sampler.close()
        self._evaluation.mark()
        self._evaluation.save()
        return text
