"""The figures of one reply: where its tokens came from, the times, and why it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gemma_chat.host.protocol import FinishReason, MessageView, TurnMetrics
from gemma_chat.ui.text import one_line

_MOST_CELLS = 60

_REASONS: dict[FinishReason, str] = {
    "stop": "the model was done",
    "length": "its limit, or the window, was reached",
    "stopped": "a person stopped it",
    "tool_call": "it called tools",
    "closed": "the host left",
    "failed": "it failed",
}


def figures_of(reply: MessageView) -> tuple[tuple[str, str], ...]:
    """Names and figures of a reply; what was not measured is left out."""
    metrics = reply.metrics
    return () if metrics is None else tuple(_figures(metrics, reply.error))


def _figures(metrics: TurnMetrics, error: str) -> Iterator[tuple[str, str]]:
    cached = metrics.reused_tokens + metrics.restored_tokens
    yield "prompt", f"{cached + metrics.evaluated_tokens:,} tokens"
    yield "  kept from before", f"{metrics.reused_tokens:,} in the cache"
    yield "  restored", f"{metrics.restored_tokens:,} from a saved state"
    rate = metrics.prefill_tokens_per_second
    yield "  evaluated", f"{metrics.evaluated_tokens:,}{f' at {rate:.0f} tok/s' if rate else ''}"
    yield "reply", f"{metrics.generated_tokens:,} tokens"
    if metrics.decode_tokens_per_second:
        yield "  speed", f"{metrics.decode_tokens_per_second:.1f} tok/s"
    if metrics.guessed_tokens:
        right = metrics.guessed_right_tokens
        yield (
            "  prompt lookup",
            f"{right:,} of {metrics.guessed_tokens:,} guesses right "
            f"({100 * right / metrics.guessed_tokens:.0f}%)",
        )
    yield "waited for the lock", f"{metrics.queue_seconds:.2f} s"
    if metrics.time_to_first_token:
        yield "first token after", f"{metrics.time_to_first_token:.2f} s, the wait included"
    yield "ended because", one_line(error, _MOST_CELLS) or _REASONS[metrics.finish_reason]
    if metrics.model:
        yield "model", one_line(metrics.model, _MOST_CELLS)
    yield "seed", "none: no chance" if metrics.seed is None else str(metrics.seed)
