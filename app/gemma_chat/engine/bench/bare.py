"""The baseline: `llama_decode` in a plain loop, with nothing of the engine around it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from gemma_chat.engine.context import plain_attention
from gemma_chat.engine.library import native
from gemma_chat.engine.state_bytes import StateBytes
from gemma_chat.errors import EngineCrashedError, ModelLoadError
from gemma_chat.terms import KvType

FULL_BATCH = 512
"""llama.cpp's own default for the tokens computed at once."""

_PADDING = 256


class BareLoop:
    """One context with one stream on a loaded model; close it before the model.

    Args:
        model: the native model.
        context_size: tokens.
        threads: for decoding and prefill.
        kv_type: how the KV cache is stored, as in `EngineOptions`.
    """

    def __init__(self, model: Any, *, context_size: int, threads: int, kv_type: KvType) -> None:
        self._llama, _ = native()
        parameters = self._llama.llama_context_default_params()
        # A batch larger than the context would be cut down to it, and larger ones then abort.
        parameters.n_ctx = max(FULL_BATCH, -(-context_size // _PADDING) * _PADDING)
        parameters.n_batch = parameters.n_ubatch = FULL_BATCH
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        stored = self._llama.__dict__[f"GGML_TYPE_{kv_type.upper()}"]
        parameters.type_k = parameters.type_v = stored
        parameters.flash_attn_type = (
            self._llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
            if plain_attention(kv_type)
            else self._llama.LLAMA_FLASH_ATTN_TYPE_ENABLED
        )
        parameters.swa_full = False
        parameters.no_perf = True
        self._handle = self._llama.llama_init_from_model(model, parameters)
        if not self._handle:
            raise ModelLoadError(
                f"There is no memory for a second context of {context_size} tokens to compare "
                "with. Set model.context_size to a smaller one."
            )
        self._batch = self._llama.llama_batch_init(FULL_BATCH, 0, 1)
        for at in range(FULL_BATCH):
            self._batch.n_seq_id[at] = 1
            self._batch.seq_id[at][0] = 0
        self._position = 0
        self._next: Sequence[int] = (0,)

    def close(self) -> None:
        """Free the context; twice is fine."""
        if self._handle:
            self._llama.llama_batch_free(self._batch)
            self._llama.llama_free(self._handle)
            self._handle = None

    def set_threads(self, threads: int) -> None:
        """Compute with so many threads from now on."""
        self._llama.llama_set_n_threads(self._handle, threads, threads)

    # ------------------------------------------------------------ what is timed

    def prefill(self, tokens: Sequence[int]) -> float:
        """Evaluate `tokens` from position 0 in full batches; returns the seconds of all calls."""
        memory = self._llama.llama_get_memory(self._handle)
        self._llama.llama_memory_seq_rm(memory, 0, -1, -1)
        self._position, self._next = 0, tokens
        started = perf_counter()
        for begin in range(0, len(tokens), FULL_BATCH):
            self._evaluate(tokens[begin : begin + FULL_BATCH])
        self._llama.llama_synchronize(self._handle)
        return perf_counter() - started

    def decode(self, count: int, within: float = float("inf")) -> tuple[int, float]:
        """Evaluate `count` tokens one by one with logits and without sampling.

        Stops after `within` seconds; returns the tokens evaluated and the seconds they took.
        """
        done, seconds = 0, 0.0
        started = perf_counter()
        while done < count and seconds < within:
            self._evaluate((self._next[done % len(self._next)],))
            done += 1
            seconds = perf_counter() - started
        self._llama.llama_synchronize(self._handle)
        return done, perf_counter() - started

    def _evaluate(self, tokens: Sequence[int]) -> None:
        batch, last = self._batch, len(tokens) - 1
        batch.n_tokens = len(tokens)
        for at, token in enumerate(tokens):
            batch.token[at] = token
            batch.pos[at] = self._position + at
            batch.logits[at] = at == last
        if code := self._llama.llama_decode(self._handle, batch):
            raise EngineCrashedError(
                f"llama.cpp could not evaluate {len(tokens)} tokens at position "
                f"{self._position} (code {code})."
            )
        self._position += len(tokens)

    # ------------------------------------------------------------ back to a depth

    def save(self) -> tuple[int, StateBytes]:
        """The present depth and state."""
        size = self._llama.llama_state_seq_get_size_ext(self._handle, 0, 0)
        state: StateBytes = np.empty(size, np.uint8)
        self._llama.llama_state_seq_get_data_ext(self._handle, _pointer(state), size, 0, 0)
        return self._position, state

    def restore(self, saved: tuple[int, StateBytes]) -> None:
        """Go back to a saved depth. A cut would do without sliding windows only."""
        self._position, state = saved
        if not self._llama.llama_state_seq_set_data_ext(
            self._handle, _pointer(state), state.size, 0, 0
        ):
            raise EngineCrashedError("llama.cpp refused a state that it had written itself.")


def _pointer(state: StateBytes) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
