"""What the options of a load come to for this model on this machine."""

from __future__ import annotations

import psutil

from gemma_chat.engine.context import plain_attention
from gemma_chat.engine.threads import thread_counts
from gemma_chat.errors import SettingsError
from gemma_chat.quantities import GB, MB
from gemma_chat.terms import KvType

DEFAULT_CONTEXT = 8192
SMALLEST_CONTEXT = 64
_MOST_STATES = 2 * GB


def physical_cores() -> int:
    """The number of cores to compute with: hyper-threads share an arithmetic unit."""
    return int(psutil.cpu_count(logical=False) or psutil.cpu_count() or 1)


def available_memory() -> int:
    """Bytes that can be taken without swapping."""
    return int(psutil.virtual_memory().available)


def counts_of_threads(pinned: int, kv_type: KvType) -> tuple[int, ...]:
    """The numbers of threads to choose from while running; `pinned` is the only one unless 0."""
    if pinned or not plain_attention(kv_type):
        # A GPU still computes when a step returns, so steps cannot be timed; and flash attention
        # gives other logits with another number of threads.
        return (pinned or physical_cores(),)
    return thread_counts(physical_cores())


def context_size_of(wanted: int, trained: int) -> int:
    """The tokens of one session's context; raises `SettingsError` when `wanted` is not allowed."""
    if wanted == 0:
        return min(trained or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    if wanted < SMALLEST_CONTEXT or (trained and wanted > trained):
        raise SettingsError(
            f"context_size = {wanted} is not allowed: this model takes "
            f"{SMALLEST_CONTEXT} to {trained} tokens, or 0 for its own."
        )
    return wanted


def states_budget(megabytes: int, available: int) -> int:
    """Bytes of RAM for saved states, of those that are `available`; 0 megabytes takes a share."""
    return megabytes * MB if megabytes else min(available // 4, _MOST_STATES)
