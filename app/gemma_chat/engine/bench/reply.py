"""A reply that goes on for as long as it is timed."""

from __future__ import annotations

from time import perf_counter

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.bench.figures import Unmeasurable
from gemma_chat.engine.interface import Ended, Engine, Generated, Prompt, TurnRun

_MOST_EMPTY = 3


class EndlessReply:
    """Replies to one prompt, one after another, stepped and timed token by token.

    What comes before a reply's second token (the prompt, restoring it, the first token) is not
    timed, so what is timed is decoding and sampling alone.
    """

    def __init__(self, engine: Engine, prompt: Prompt, sampling: SamplingSettings) -> None:
        self._engine = engine
        self._prompt = prompt
        self._sampling = sampling
        self._sequence = engine.open_sequence()
        self._run: TurnRun | None = None
        self._empty = 0

    def advance(self, count: int, within: float = float("inf")) -> tuple[int, float]:
        """Generate `count` tokens, or as many as `within` seconds allow.

        Returns the tokens, at least one, and the seconds that their steps took.

        Raises:
            Unmeasurable: the model ends every reply at once.
        """
        done, seconds = 0, 0.0
        while done < count and (seconds < within or not done):
            run = self._run or self._begin()
            before = run.counts.generated
            started = perf_counter()
            step = run.step()
            took = perf_counter() - started
            if isinstance(step, Ended):
                self._note_end(run)
                continue
            done += run.counts.generated - before
            seconds += took
        return done, seconds

    def rewind(self) -> None:
        """Go back to the depth of the prompt."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def close(self) -> None:
        """End the reply and give the memory back."""
        self.rewind()
        self._engine.release(self._sequence)

    def _begin(self) -> TurnRun:
        run = self._engine.begin(self._sequence, self._prompt, self._sampling, "foreground")
        self._run = run
        while True:
            step = run.step()
            if isinstance(step, Generated):
                return run
            if isinstance(step, Ended):
                self._note_end(run)
                return self._begin()

    def _note_end(self, run: TurnRun) -> None:
        self._empty = self._empty + 1 if run.counts.generated < 2 else 0
        self.rewind()
        if self._empty > _MOST_EMPTY:
            raise Unmeasurable("the model ends its replies at once")
