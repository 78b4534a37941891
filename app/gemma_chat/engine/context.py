"""The llama.cpp context: a few KV streams, and the three things done to them.

Evaluate tokens, cut a stream back, copy its state out and in. Every limit that llama.cpp answers
with an abort or with silence is checked here, before or after the call.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gemma_chat.engine.library import AbortFlag, native
from gemma_chat.errors import EngineCrashedError, ModelLoadError

MICRO_BATCH = 128
"""Tokens evaluated at once in prefill, the most that a background turn makes a person wait for."""

STREAMS = 2
"""One for the chats, one for the background."""

StateBytes = npt.NDArray[np.uint8]
_PADDING = 256


class Context:
    """One `llama_context`. Used by one thread at a time, except for `abort`."""

    def __init__(self, model: Any, *, context_size: int, threads: int, sliding_window: int) -> None:
        self._llama, log = native()
        self.context_size = context_size
        self.sliding_window = sliding_window
        parameters = self._llama.llama_context_default_params()
        padded = -(-context_size // _PADDING) * _PADDING
        parameters.n_ctx = padded * STREAMS
        parameters.n_batch = MICRO_BATCH
        parameters.n_ubatch = MICRO_BATCH
        parameters.n_seq_max = STREAMS
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = False
        # A full-size cache for the sliding-window layers would cost five times the memory of
        # Gemma 3, in every saved state too.
        parameters.swa_full = False
        parameters.no_perf = True
        with log.excerpt() as lines:
            self.handle = self._llama.llama_init_from_model(model, parameters)
        if not self.handle:
            raise ModelLoadError(
                f"There is no memory for {STREAMS} contexts of {context_size} tokens. "
                "Choose a smaller context_size."
            )
        self.kv_bytes = _kv_bytes(lines)
        self._memory = self._llama.llama_get_memory(self.handle)
        self._batch = self._llama.llama_batch_init(MICRO_BATCH, 0, 1)
        self._abort = AbortFlag()
        self._abort.attach(self.handle)

    def close(self) -> None:
        """Free the context; twice is fine."""
        if self.handle:
            self._llama.llama_batch_free(self._batch)
            self._llama.llama_free(self.handle)
            self.handle = None

    # ------------------------------------------------------------ evaluating

    def abort(self) -> None:
        """Make the running `evaluate`, or the next one, return "aborted". From any thread."""
        self._abort.raise_()

    def evaluate(
        self, stream: int, tokens: Sequence[int], position: int
    ) -> Literal["done", "aborted"]:
        """Evaluate at most `MICRO_BATCH` tokens; the logits of the last one can be sampled then.

        After "aborted" the stream is as it was before the call.
        """
        batch = self._batch
        count = len(tokens)
        if not 0 < count <= MICRO_BATCH or position + count > self.context_size:
            raise EngineCrashedError(
                f"{count} tokens at position {position} do not fit a context of "
                f"{self.context_size}; please report this."
            )
        batch.n_tokens = count
        for at in range(count):
            batch.token[at] = tokens[at]
            batch.pos[at] = position + at
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = stream
            batch.logits[at] = 0
        batch.logits[count - 1] = 1
        result = self._llama.llama_decode(self.handle, batch)
        if result == 0:
            return "done"
        if result == 2:
            self._abort.lower()
            self._llama.llama_memory_seq_rm(self._memory, stream, position, -1)
            return "aborted"
        raise EngineCrashedError(
            f"llama.cpp could not evaluate {count} tokens at position {position} (code {result}). "
            "The turn was given up; the conversation is kept."
        )

    def forget_abort(self) -> None:
        """Drop an abort that came when nothing was running."""
        self._abort.lower()

    # ------------------------------------------------------------ the KV cache

    def length(self, stream: int) -> int:
        """How many positions the stream holds."""
        return int(self._llama.llama_memory_seq_pos_max(self._memory, stream)) + 1

    def cut(self, stream: int, length: int) -> bool:
        """Keep the first `length` positions of a stream.

        False when what remains cannot be continued exactly, because positions inside the sliding
        window are gone; the stream is empty then. llama.cpp reports success in that case.
        """
        if length <= 0:
            self.clear(stream)
            return length == 0
        memory = self._memory
        if self.length(stream) > length:
            self._llama.llama_memory_seq_rm(memory, stream, length, -1)
        first = self._llama.llama_memory_seq_pos_min(memory, stream)
        needed = max(0, length - self.sliding_window) if self.sliding_window else 0
        if self.length(stream) == length and 0 <= first <= needed:
            return True
        self.clear(stream)
        return False

    def clear(self, stream: int) -> None:
        """Empty a stream."""
        self._llama.llama_memory_seq_rm(self._memory, stream, -1, -1)

    def save(self, stream: int) -> StateBytes:
        """A copy of the stream's whole state."""
        size = self._llama.llama_state_seq_get_size_ext(self.handle, stream, 0)
        state: StateBytes = np.empty(size, np.uint8)
        written = self._llama.llama_state_seq_get_data_ext(
            self.handle, _pointer(state), size, stream, 0
        )
        if written != size:
            raise EngineCrashedError("llama.cpp could not save a session's state; it is dropped.")
        return state

    def restore(self, stream: int, state: StateBytes) -> bool:
        """Put a saved state into a stream, in place of what it holds; False when it is refused."""
        self.clear(stream)
        read = self._llama.llama_state_seq_set_data_ext(
            self.handle, _pointer(state), state.size, stream, 0
        )
        if read == state.size:
            return True
        self.clear(stream)
        return False


def _pointer(state: StateBytes) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _kv_bytes(lines: Sequence[str]) -> int:
    """The size of the KV cache; llama.cpp tells it in its log and nowhere else."""
    sizes = (re.search(r"KV buffer size\s*=\s*([\d.]+) MiB", line) for line in lines)
    return int(sum(float(found.group(1)) for found in sizes if found) * 1024 * 1024)
