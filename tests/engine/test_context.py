"""The native context: what it computes does not depend on how many threads compute it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gemma_chat.engine.context import MICRO_BATCH, Context
from gemma_chat.engine.interface import LoadControl
from gemma_chat.engine.threads import ThreadPlan
from gemma_chat.engine.weights import Weights
from gemma_chat.terms import KvType

DEPTH = 272
"""Past 256 positions llama.cpp attends to 512, where some of its kernels begin to differ."""
TOKENS = [number * 37 % 900 + 20 for number in range(DEPTH + 3)]


@pytest.fixture(scope="module")
def weights(short_model_path: Path) -> Iterator[Weights]:
    loaded = Weights(short_model_path, use_extra_bufts=True, gpu_layers=0, control=LoadControl())
    yield loaded
    loaded.close()


@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
def test_the_number_of_threads_changes_no_bit_of_the_kv_cache(
    weights: Weights, kv_type: KvType
) -> None:
    context = Context(
        weights.handle,
        context_size=512,
        thread_counts=(1,),
        sliding_window=weights.sliding_window,
        kv_type=kv_type,
    )
    for start in range(0, DEPTH, MICRO_BATCH):
        context.evaluate(0, TOKENS[start : min(start + MICRO_BATCH, DEPTH)], start, "none")
    before = context.save(0)
    states = []
    for threads in (1, 2, 3):
        context.restore(0, before)
        context._threads = ThreadPlan((threads,), MICRO_BATCH)
        for position in range(DEPTH, DEPTH + 3):
            context.evaluate(0, TOKENS[position : position + 1], position, "each")
        states.append(context.save(0))
    context.close()
    assert np.array_equal(states[0], states[1])
    assert np.array_equal(states[0], states[2])


def test_going_back_by_a_checkpoint_leaves_nothing_of_the_other_branch_in_any_layer(
    short_gemma3_path: Path,
) -> None:
    """Layers without a window would attend to what stays there, beside what comes in its place."""
    weights = Weights(short_gemma3_path, use_extra_bufts=True, gpu_layers=0, control=LoadControl())
    context = Context(
        weights.handle,
        context_size=1024,
        thread_counts=(1,),
        sliding_window=weights.sliding_window,
    )
    boundary = weights.sliding_window + 88
    tokens = [number * 37 % 900 + 20 for number in range(boundary + 200)]
    for start in range(0, boundary, 100):
        context.evaluate(0, tokens[start : start + 100], start, "none")
    there, checkpoint = context.save(0), context.save_window(0)
    for start in range(boundary, boundary + 200, 100):
        context.evaluate(0, tokens[start : start + 100], start, "none")
    assert context.restore_window(0, checkpoint)
    assert context.cut(0, boundary)
    back = context.save(0)
    context.close()
    weights.close()
    assert np.array_equal(back, there)
