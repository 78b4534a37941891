"""Memory for saved states that goes back to the system as soon as a state is dropped."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

StateBytes = npt.NDArray[np.uint8]


def empty_state(size: int) -> StateBytes:
    """Zeros for a state of `size` bytes, at least one, in a mapping of their own.

    States are megabytes long, each a little longer than the one it replaces. From the C library's
    heap they would leave holes that nothing fits into: two hundred tabs took twice what their
    budget allows.
    """
    return np.frombuffer(mmap.mmap(-1, size), np.uint8)
