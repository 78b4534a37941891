"""A warm-up: evaluating, while nobody waits, what a coming turn is going to begin with.

Only what every such turn would evaluate in the same batches: the system instruction, which is a
batch of its own in any case, a conversation whose oldest turns have just been replaced, up to the
question, and whole micro-batches of a long text that is still in the input box.
So the turn gives the same text as without, only sooner.
"""

from __future__ import annotations

from gemma_chat.engine.evaluation import Evaluation
from gemma_chat.engine.interface import Ended, Interrupted, Prefill, Step
from gemma_chat.errors import EngineCrashedError


class LlamaWarmUp:
    """A `TurnRun` that ends before the first token is sampled."""

    def __init__(
        self,
        evaluation: Evaluation,
        *,
        tokens: list[int],
        micro_batch: int,
        lasting: bool = False,
    ) -> None:
        """`lasting`: what is evaluated outlives the process."""
        self._evaluation = evaluation
        self._tokens = tokens
        self._micro_batch = micro_batch
        self._lasting = lasting
        self._finished = False
        self.counts = evaluation.counts

    @property
    def prompt_tokens(self) -> int:
        """How many tokens are known of the coming prompt."""
        return len(self._tokens)

    def interrupt(self) -> None:
        """See the interface."""
        self._evaluation.interrupt()

    def step(self) -> Step:
        """Evaluate one more micro-batch; `Ended` when the next one is not known as a whole."""
        work = self._evaluation
        if work.take_interrupt():
            return Interrupted()
        try:
            work.settle()
            end = work.done + work.next_chunk(len(self._tokens))
            whole = end - work.done == self._micro_batch or work.at_boundary(end)
            if end <= work.done or not whole:
                return Ended("stop", "")
            if not work.evaluate(self._tokens[work.done : end], len(self._tokens), "none"):
                work.take_interrupt()
                return Interrupted()
        except EngineCrashedError:
            work.forget()
            raise
        return Prefill(work.done, len(self._tokens))

    def give_way(self) -> None:
        """See the interface."""
        self._evaluation.take_interrupt()

    def finish(self) -> str:
        """See the interface; there is never any text."""
        if not self._finished:
            self._finished = True
            self._evaluation.take_interrupt()
            self._evaluation.save(lasting=self._lasting)
        return ""
