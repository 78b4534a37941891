"""Evaluating the tokens of one session, step by step: what a turn and a warm-up share.

It keeps the session resident while it computes, brings it back after another one took its stream,
and takes interrupts from other threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gemma_chat.engine.context import Context, Sampled
from gemma_chat.engine.interface import TokenCounts
from gemma_chat.engine.memory import KVMemory
from gemma_chat.engine.prefix import MediaSpan
from gemma_chat.engine.projector import Projector
from gemma_chat.engine.shelf import HeldSequence
from gemma_chat.errors import EngineCrashedError
from gemma_chat.terms import Lane


class Evaluation:
    """One session's tokens on their way into the KV cache.

    Args:
        context: where they are evaluated.
        memory: who is resident where.
        sequence: the session.
        held: how many of its tokens the work begins with.
        boundaries: where the system instruction ends, and what came before the question: a batch
            always ends there, in every session with the same tokens.
        lane: which stream it takes.
        spans: where media stand among the tokens.
        projector: what encodes them.
    """

    def __init__(
        self,
        context: Context,
        memory: KVMemory,
        sequence: HeldSequence,
        *,
        held: int,
        boundaries: Sequence[int],
        lane: Lane,
        spans: Sequence[MediaSpan] = (),
        projector: Projector | None = None,
    ) -> None:
        self.counts = TokenCounts()
        self._context = context
        self._memory = memory
        self._sequence = sequence
        self._held = held
        self._boundaries = sorted(boundaries)
        self._lane = lane
        self._spans = spans
        self._projector = projector
        self._stream: int | None = None
        self._placed = False
        self._interrupted = False

    @property
    def done(self) -> int:
        """How many tokens are in the KV cache."""
        return len(self._sequence.tokens)

    # ------------------------------------------------------------ interrupts

    def interrupt(self) -> None:
        """End the running `evaluate`, or the next one. From any thread."""
        self._interrupted = True
        self._context.abort()

    def take_interrupt(self) -> bool:
        """Whether there was an interrupt since the last call; it is over then."""
        taken, self._interrupted = self._interrupted, False
        if taken:
            self._context.forget_abort()
        return taken

    # ------------------------------------------------------------ computing

    def settle(self) -> None:
        """Make the session resident: at the first step, and again after it had to leave."""
        self._context.use_adapter(self._sequence.adapter)
        stream = self._memory.stream_of(self._sequence)
        if stream is not None and stream == self._stream:
            return
        keep = self.done if self._placed else self._held
        placed = self._memory.place(self._sequence, keep, self._lane)
        self._stream = placed.stream
        if not self._placed:
            self.counts.reused = placed.reused
            self.counts.restored = placed.restored
            self._placed = True

    def next_chunk(self, target: int) -> int:
        """How many tokens the next micro-batch on the way to `target` tokens has."""
        done = self.done
        target = min([target, *(one for one in self._boundaries if one > done)])
        span = self._next_span()
        if span is not None and span.start <= done:
            most = span.end if span.piece.whole else done + self._context.micro_batch
            return min(most, span.end) - done
        if span is not None:
            target = min(target, span.start)
        return min(self._context.micro_batch, target - done)

    def _next_span(self) -> MediaSpan | None:
        """The media that is evaluated now, or comes next."""
        if not self._spans:
            return None
        return next((span for span in self._spans if span.end > self.done), None)

    def at_boundary(self, length: int) -> bool:
        """Whether after `length` tokens a batch ends in every session with the same tokens."""
        edges = (edge for span in self._spans for edge in (span.start, span.end))
        return length in self._boundaries or length in edges

    def evaluate(self, tokens: Sequence[int], prompt_length: int, logits: Sampled) -> bool:
        """Evaluate the next tokens; `False` when interrupted, and then nothing has changed.

        `prompt_length` is how many of all tokens count as the prompt.
        """
        position = self.done
        if logits == "none":
            self._memory.lay_out(self._sequence)
            if self.done != position:
                raise EngineCrashedError(
                    "llama.cpp refused a state that it had written itself. The turn was given up; "
                    "the conversation is kept."
                )
        self._memory.remember_beginning(self._sequence, len(tokens))
        if self._compute(tokens, position, logits) == "aborted":
            return False
        self._sequence.tokens.extend(tokens)
        self.counts.evaluated += min(prompt_length, self.done) - min(prompt_length, position)
        if self.done in self._boundaries or any(span.end == self.done for span in self._spans):
            self._sequence.seam()
        return True

    def _compute(
        self, tokens: Sequence[int], position: int, logits: Sampled
    ) -> Literal["done", "aborted"]:
        assert self._stream is not None
        span = self._next_span()
        if span is None or span.start > position:
            return self._context.evaluate(self._stream, tokens, position, logits)
        assert self._projector is not None
        start = position - span.start
        rows = self._projector.embeddings(span.piece)[start : start + len(tokens)]
        return self._context.evaluate_media(self._stream, rows, position, whole=span.piece.whole)

    def cut(self, length: int) -> None:
        """Take back the last tokens evaluated, which turned out to be wrong."""
        if length == self.done:
            return
        assert self._stream is not None
        if self._context.cut(self._stream, length):
            self._sequence.cut(length)
        else:
            self.forget()

    # ------------------------------------------------------------ boundaries and the end

    def mark(self) -> None:
        """Remember this turn boundary, for going back to it."""
        self._memory.mark(self._sequence)

    def forget(self) -> None:
        """What is resident is not to be trusted after an error."""
        self._memory.forget(self._sequence)

    def wipe(self) -> None:
        """What was evaluated are no numbers: they must not stay in the KV cache, even masked."""
        self._memory.wipe(self._sequence)

    def save(self, *, lasting: bool = False) -> None:
        """Keep what was evaluated; a turn of the foreground, or what is `lasting`, in a file."""
        # What works in the background is mostly done again sooner than it is read from a file.
        in_file = lasting or self._lane == "foreground"
        self._memory.save(self._sequence, "file" if in_file else "memory")
