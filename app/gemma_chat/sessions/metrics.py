"""The figures of turns: where tokens came from and how long things took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gemma_chat.engine.interface import TokenCounts
from gemma_chat.terms import FinishReason


@dataclass(frozen=True, slots=True)
class TurnMetrics:
    """The figures of one turn; times in seconds, rates in tokens per second.

    print(session.metrics.evaluated_tokens, session.metrics.decode_tokens_per_second)
    """

    reused_tokens: int = 0
    """Prompt tokens that were still resident in the KV cache."""
    restored_tokens: int = 0
    """Prompt tokens that came back from a saved state."""
    evaluated_tokens: int = 0
    """Prompt tokens decoded in this turn."""
    generated_tokens: int = 0
    queue_seconds: float = 0.0
    """Time without the lock, also after giving way."""
    time_to_first_token: float = 0.0
    """From asking to the first token, the queue included; 0 when there was none."""
    prefill_tokens_per_second: float = 0.0
    decode_tokens_per_second: float = 0.0
    finish_reason: FinishReason = "stop"
    guessed_tokens: int = 0
    """Tokens of the reply that prompt lookup put forward and a batch verified."""
    guessed_right_tokens: int = 0
    """Those of them that proved right."""
    seed: int | None = None
    """What the reply was sampled with, drawn or set; `None` where nothing was drawn by chance."""


@dataclass(frozen=True, slots=True)
class SessionTotals:
    """The sums over all turns of a session.

    print(session.totals.turns, session.totals.generated_tokens)
    """

    turns: int = 0
    reused_tokens: int = 0
    restored_tokens: int = 0
    evaluated_tokens: int = 0
    generated_tokens: int = 0
    queue_seconds: float = 0.0

    def plus(self, metrics: TurnMetrics) -> SessionTotals:
        """The totals with one more turn."""
        return SessionTotals(
            turns=self.turns + 1,
            reused_tokens=self.reused_tokens + metrics.reused_tokens,
            restored_tokens=self.restored_tokens + metrics.restored_tokens,
            evaluated_tokens=self.evaluated_tokens + metrics.evaluated_tokens,
            generated_tokens=self.generated_tokens + metrics.generated_tokens,
            queue_seconds=self.queue_seconds + metrics.queue_seconds,
        )


def together(steps: Sequence[TurnMetrics], reason: FinishReason) -> TurnMetrics:
    """The figures of a turn that took several replies; rates count computing alone."""
    if not steps:
        return TurnMetrics(finish_reason=reason)
    evaluated = sum(step.evaluated_tokens for step in steps)
    generated = sum(step.generated_tokens for step in steps)
    return TurnMetrics(
        reused_tokens=sum(step.reused_tokens for step in steps),
        restored_tokens=sum(step.restored_tokens for step in steps),
        evaluated_tokens=evaluated,
        generated_tokens=generated,
        queue_seconds=sum(step.queue_seconds for step in steps),
        time_to_first_token=steps[0].time_to_first_token,
        prefill_tokens_per_second=_mean_rate(
            evaluated, [(step.evaluated_tokens, step.prefill_tokens_per_second) for step in steps]
        ),
        decode_tokens_per_second=_mean_rate(
            generated, [(step.generated_tokens, step.decode_tokens_per_second) for step in steps]
        ),
        finish_reason=reason,
        guessed_tokens=sum(step.guessed_tokens for step in steps),
        guessed_right_tokens=sum(step.guessed_right_tokens for step in steps),
        seed=steps[0].seed,
    )


def _mean_rate(tokens: int, steps: Sequence[tuple[int, float]]) -> float:
    seconds = sum(count / rate for count, rate in steps if rate)
    return tokens / seconds if seconds else 0.0


class TurnClock:
    """Times one turn. Only computing counts for the rates, so a turn that gave way is not slow."""

    __slots__ = (
        "_asked",
        "_first_token",
        "_queued",
        "_waiting_since",
        "decode",
        "prefill",
        "since",
    )

    def __init__(self) -> None:
        self._asked = self._waiting_since = self.since = time.monotonic()
        self._queued = 0.0
        self._first_token = 0.0
        self.prefill = 0.0
        self.decode = 0.0

    def got_lock(self) -> None:
        """The turn holds the lock from now on."""
        self.since = time.monotonic()
        self._queued += self.since - self._waiting_since

    def gave_way(self) -> None:
        """The turn waits again from now on."""
        self.since = self._waiting_since = time.monotonic()

    def first_token(self) -> None:
        """The first token was sampled just now."""
        self._first_token = time.monotonic() - self._asked

    def withdrawn(self) -> None:
        """The turn leaves the queue without the lock."""
        self._queued += time.monotonic() - self._waiting_since

    def rate(self, tokens: int) -> float:
        """Tokens per second of decoding so far."""
        return tokens / self.decode if self.decode > 0 else 0.0

    def metrics(
        self, counts: TokenCounts, reason: FinishReason, seed: int | None = None
    ) -> TurnMetrics:
        """The figures of the turn, now that it is over."""
        return TurnMetrics(
            reused_tokens=counts.reused,
            restored_tokens=counts.restored,
            evaluated_tokens=counts.evaluated,
            generated_tokens=counts.generated,
            queue_seconds=self._queued,
            time_to_first_token=self._first_token,
            prefill_tokens_per_second=counts.evaluated / self.prefill if self.prefill else 0.0,
            decode_tokens_per_second=self.rate(counts.generated),
            finish_reason=reason,
            guessed_tokens=counts.guessed,
            guessed_right_tokens=counts.guessed_right,
            seed=seed,
        )
