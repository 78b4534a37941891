"""One turn on the real model: prefill in micro-batches, then token by token.

With prompt lookup a step of the reply may verify guessed tokens and so bring several.

The last token of a prompt is always evaluated alone. That costs one decode step a turn and buys
exactness: whether a turn is new, regenerated from a saved state, or preempted and resumed, the
model sees the same tokens in the same batches and so gives the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gemma_chat.engine import prefix
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
from gemma_chat.engine.lookup import Speculation
from gemma_chat.engine.reply_tokens import ReplyTokens, said
from gemma_chat.engine.sampler import Sampler
from gemma_chat.errors import AdapterError, EngineCrashedError


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
        speculation: Speculation | None = None,
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
        self._speculation = speculation
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
        except AdapterError:
            self._evaluation.wipe()
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
            chunk = self._tokens[done : done + work.next_chunk(self._boundary)]
            if not work.evaluate(chunk, self._prompt_length, "none"):
                return Interrupted()
            return Prefill(work.done, self._prompt_length)
        if done == self._boundary:
            work.mark()
        if done < len(self._tokens) - 1:
            return self._catch_up(done)
        return self._decode(done)

    def _catch_up(self, position: int) -> Step:
        """Evaluate what comes before the newest token.

        That is the end of a prompt that leads into a thought, what closes a thought by force, or
        what was lost of the reply; the latter in the batches in which it came about, for others
        would round differently.
        """
        work = self._evaluation
        batch = self._batch_at(position)
        if not work.evaluate(batch, self._prompt_length, "each"):
            return Interrupted()
        right = prefix.common_prefix(batch, self._tokens[position:-1])
        work.cut(position + right)
        if work.done < self._prompt_length:
            return Prefill(work.done, self._prompt_length)
        return Generated("")

    def _batch_at(self, position: int) -> Sequence[int]:
        batch = self._speculation.batch_at(position) if self._speculation else ()
        return batch or self._tokens[position : position + 1]

    def _decode(self, position: int) -> Step:
        """Evaluate the newest token, guessed ones behind it, and sample as far as they are right.

        Each token is sampled from what the model says after those before it, so the guesses change
        how many tokens come in one step and not which.
        """
        draft = self._draft(position)
        batch = [self._tokens[position], *draft]
        if not self._evaluation.evaluate(batch, self._prompt_length, "each"):
            return Interrupted()
        if draft and self._speculation is not None:
            self._speculation.verified(position, batch)
        parts: list[ReplyPart] = []
        reason: EndReason | None = None
        right = 0
        for guess in (*draft, None):
            token = self._sampler.sample(self._context.handle, right)
            reason = self._take(token, parts)
            if reason is not None or self._force(parts) or token != guess:
                break
            right += 1
        self.counts.guessed += len(draft)
        self.counts.guessed_right += right
        if self._speculation is not None:
            self._speculation.sampled(draft, right, token)
        self._evaluation.cut(position + 1 + right)
        if reason is None:
            return Generated(*said(parts))
        return Ended(reason, *said((*parts, *self._reply.flush(cut=reason == "length"))))

    def _draft(self, position: int) -> Sequence[int]:
        """The guesses to verify. The last token of a prompt is evaluated alone."""
        if self._speculation is None or position < self._prompt_length:
            return ()
        room = min(
            self._limit - self.counts.generated - 1,
            self._context.context_size - position - 2,
        )
        return self._speculation.draft(self._tokens, room)

    def _take(self, token: int, parts: list[ReplyPart]) -> EndReason | None:
        """Add a sampled token to the reply; returns why the reply ends with it, if it does."""
        if self._reply.is_ended_by(token):
            return "stop"
        self.counts.generated += 1
        self._tokens.append(token)
        parts += self._reply.feed(token)
        if self._reply.stopped:
            return "stop"
        room = self._context.context_size - len(self._tokens)
        return "length" if self.counts.generated >= self._limit or room <= 0 else None

    def _force(self, parts: list[ReplyPart]) -> bool:
        """Close a thought whose budget is used up, as if the model had; `False` when it is not."""
        forced = self._reply.forced(self._context.context_size - len(self._tokens) - 1)
        for token in forced:
            self.counts.generated += 1
            self._tokens.append(token)
            parts += self._reply.feed(token)
        return bool(forced)

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
