"""One turn on the real model: prefill in micro-batches, then token by token.

The last token of a prompt is always evaluated alone. That costs one decode step a turn and buys
exactness: whether a turn is new, regenerated from a saved state, or preempted and resumed, the
model sees the same tokens in the same batches and so gives the same text.
"""

from __future__ import annotations

from gemma_chat.engine.context import Context
from gemma_chat.engine.interface import (
    Ended,
    EndReason,
    Generated,
    Interrupted,
    Prefill,
    Step,
    TokenCounts,
)
from gemma_chat.engine.memory import KVMemory, Lane
from gemma_chat.engine.sampler import Sampler
from gemma_chat.engine.shelf import HeldSequence
from gemma_chat.engine.text import TextStream
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.errors import EngineCrashedError


class LlamaTurn:
    """See `gemma_chat.engine.interface.TurnRun`."""

    def __init__(
        self,
        context: Context,
        memory: KVMemory,
        vocabulary: Vocabulary,
        sequence: HeldSequence,
        *,
        prompt: list[int],
        boundary: int,
        held: int,
        sampler: Sampler,
        text: TextStream,
        limit: int,
        lane: Lane,
    ) -> None:
        self._context = context
        self._memory = memory
        self._vocabulary = vocabulary
        self._sequence = sequence
        self._tokens = prompt
        self._prompt_length = len(prompt)
        self._boundary = boundary
        self._held = held
        self._sampler = sampler
        self._text = text
        self._limit = limit
        self._lane = lane
        self._stream: int | None = None
        self._state: str = "new"
        self._interrupted = False
        self.counts = TokenCounts()

    @property
    def prompt_tokens(self) -> int:
        """The length of the whole prompt, in tokens."""
        return self._prompt_length

    # ------------------------------------------------------------ from any thread

    def interrupt(self) -> None:
        """See the interface."""
        self._interrupted = True
        self._context.abort()

    # ------------------------------------------------------------ engine thread

    def step(self) -> Step:
        """See the interface."""
        if self._take_interrupt():
            return Interrupted()
        try:
            self._settle()
            step = self._advance()
        except EngineCrashedError:
            self._memory.forget(self._sequence)
            self._state = "over"
            raise
        if isinstance(step, Interrupted):
            self._take_interrupt()
        elif isinstance(step, Ended):
            self._state = "over"
        return step

    def _take_interrupt(self) -> bool:
        taken, self._interrupted = self._interrupted, False
        if taken:
            self._context.forget_abort()
        return taken

    def _settle(self) -> None:
        """Make the session resident: at the first step, and again after it had to leave."""
        stream = self._memory.stream_of(self._sequence)
        if stream is not None and stream == self._stream:
            return
        first = self._state == "new"
        keep = self._held if first else len(self._sequence.tokens)
        placed = self._memory.place(self._sequence, keep, self._lane)
        self._stream = placed.stream
        if first:
            self.counts.reused = placed.reused
            self.counts.restored = placed.restored
            self._state = "running"

    def _advance(self) -> Step:
        done = len(self._sequence.tokens)
        left = self._prompt_length - 1 - done
        if left > 0:
            if done < self._boundary:
                left = min(left, self._boundary - done)
            if not self._evaluate(self._tokens[done : done + min(self._context.micro_batch, left)]):
                return Interrupted()
            if len(self._sequence.tokens) == self._boundary:
                self._sequence.seam()
            return Prefill(len(self._sequence.tokens), self._prompt_length)
        if done == self._prompt_length - 1:
            self._memory.mark(self._sequence)
        if done < len(self._tokens):
            # After its state was lost more than one token may be behind. They are evaluated one
            # by one as they were the first time: other batches would round differently.
            if not self._evaluate(self._tokens[done : done + 1]):
                return Interrupted()
            if len(self._sequence.tokens) < len(self._tokens):
                return Generated("")
        return self._sample()

    def _evaluate(self, chunk: list[int]) -> bool:
        position = len(self._sequence.tokens)
        stream = self._stream
        assert stream is not None
        if self._context.evaluate(stream, chunk, position) == "aborted":
            return False
        self._sequence.tokens.extend(chunk)
        self.counts.evaluated += max(
            0, min(self._prompt_length, position + len(chunk)) - min(self._prompt_length, position)
        )
        return True

    def _sample(self) -> Step:
        token = self._sampler.sample(self._context.handle)
        if token is None or self._vocabulary.ends_generation(token):
            return self._end("stop", "")
        self.counts.generated += 1
        self._tokens.append(token)
        text = self._text.feed(self._vocabulary.spoken(token))
        if self._text.stopped:
            return self._end("stop", text)
        room = self._context.context_size - len(self._tokens)
        if self.counts.generated >= self._limit or room <= 0:
            return self._end("length", text)
        return Generated(text)

    def _end(self, reason: EndReason, text: str) -> Ended:
        return Ended(reason, text + self._text.flush())

    def give_way(self) -> None:
        """See the interface. The streams keep everything; `_settle` finds out whether they did."""
        self._take_interrupt()

    def finish(self) -> str:
        """See the interface."""
        if self._state == "finished":
            return ""
        text = "" if self._state == "over" else self._text.flush()
        self._state = "finished"
        self._take_interrupt()
        self._sampler.close()
        self._memory.mark(self._sequence)
        # What works in the background is done again sooner than it is read from a file.
        self._memory.save(self._sequence, "file" if self._lane == "foreground" else "memory")
        return text
