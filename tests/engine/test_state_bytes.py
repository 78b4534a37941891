"""States take memory of their own, and give it back."""

from __future__ import annotations

import numpy as np
import psutil

from gemma_chat.engine.state_bytes import empty_state


def mapped() -> int:
    """The address space of this process, in bytes."""
    return int(psutil.Process().memory_info().vms)


def test_a_state_is_zeros_that_can_be_written() -> None:
    state = empty_state(5_000)
    assert state.size == 5_000
    assert not state.any()
    state[:] = 7
    assert np.all(state == 7)


def test_a_dropped_state_gives_its_memory_back() -> None:
    # So much that what other threads of the process give back meanwhile counts for nothing.
    size = 256 * 1024 * 1024
    empty_state(size)[:] = 1
    before = mapped()
    held = empty_state(size)
    held[:] = 1
    assert mapped() - before > size // 2
    del held
    assert mapped() - before < size // 2
