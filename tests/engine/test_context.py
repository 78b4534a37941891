"""The native context: what it computes does not depend on how it computes."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
from tests.engine.conftest import run_to_end, talk

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.context import MICRO_BATCH
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.shelf import HeldSequence
from gemma_chat.engine.threads import ThreadPlan

QUESTION = talk("The quick brown fox jumps over the lazy dog near the river bank. " * 12)


class RestlessPlan(ThreadPlan):
    """Another number of threads for every batch."""

    def __init__(self) -> None:
        super().__init__((1,), MICRO_BATCH)
        self._next = cycle((1, 2, 3))
        self.used: set[int] = set()

    def threads(self, tokens: int) -> int:
        count = next(self._next)
        self.used.add(count)
        return count


def test_the_number_of_threads_changes_no_bit_of_a_turn(
    engine: LlamaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = engine._context
    states = []
    restless = RestlessPlan()
    for plan in (ThreadPlan((1,), MICRO_BATCH), restless):
        monkeypatch.setattr(context, "_threads", plan)
        sequence = engine.open_sequence()
        assert isinstance(sequence, HeldSequence)
        settings = SamplingSettings(max_output_tokens=8)
        run_to_end(engine.begin(sequence, engine.prompt(QUESTION), settings, "foreground"))
        states.append(context.save(0))
        engine._memory.forget(sequence)
        engine.release(sequence)
    assert restless.used == {1, 2, 3}
    assert np.array_equal(*states)
