"""The llama.cpp context: a few KV streams, and the three things done to them.

Evaluate tokens, cut a stream back, copy its state out and in. Every limit that llama.cpp answers
with an abort or with silence is checked here, before or after the call.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Sequence
from typing import Any, Literal

from gemma_chat.engine.adapters import Adapter
from gemma_chat.engine.embedding_cache import Embeddings
from gemma_chat.engine.library import AbortFlag, native
from gemma_chat.engine.media_batch import MediaBatch
from gemma_chat.engine.state_bytes import StateBytes, empty_state
from gemma_chat.engine.threads import ThreadPlan
from gemma_chat.errors import EngineCrashedError, ModelLoadError
from gemma_chat.terms import KvType

MICRO_BATCH = 256
"""Tokens evaluated at once in prefill unless set otherwise. A person never waits for the rest of
one: it is aborted, and the background turn evaluates it again later."""

LARGEST_MICRO_BATCH = 512

MOST_SAMPLED = 16
"""Tokens of one batch that can be sampled from: a turn's newest one and guesses behind it."""

STREAMS = 2
"""One for foreground turns, one for the background."""

Sampled = Literal["none", "each"]
"""Which tokens of a batch are to be sampled from. None saves the largest matrix of the model."""

_PADDING = 256
_GGML_TYPES: dict[KvType, str] = {
    "f16": "GGML_TYPE_F16",
    "q8_0": "GGML_TYPE_Q8_0",
    "q4_0": "GGML_TYPE_Q4_0",
}


def plain_attention(kv_type: KvType) -> bool:
    """Whether attention is computed without llama.cpp's flash attention.

    On a CPU flash attention splits a long context over the threads when one token is decoded:
    another number of threads gives other logits, and decoding is slower besides. A quantised cache
    and a GPU need it all the same.
    """
    llama, _ = native()
    return kv_type == "f16" and not llama.llama_supports_gpu_offload()


class Context:
    """One `llama_context`. Used by one thread at a time, except for `abort`.

    Args:
        model: the native model.
        context_size: positions of each stream.
        thread_counts: the numbers of threads to choose from while running, ascending.
        sliding_window: how far back the window layers look; 0 when the model has none.
        micro_batch: tokens evaluated at once, at most `LARGEST_MICRO_BATCH`.
        kv_type: how the KV cache is stored.
        media_batch: embeddings evaluated at once; 0 when there are none.
    """

    def __init__(
        self,
        model: Any,
        *,
        context_size: int,
        thread_counts: Sequence[int],
        sliding_window: int,
        micro_batch: int = MICRO_BATCH,
        kv_type: KvType = "f16",
        media_batch: int = 0,
    ) -> None:
        self._llama, log = native()
        self._threads = ThreadPlan(thread_counts, micro_batch)
        self._set_threads = self._threads.threads(1)
        self.context_size = context_size
        self.sliding_window = sliding_window
        parameters = self._llama.llama_context_default_params()
        padded = -(-context_size // _PADDING) * _PADDING
        parameters.n_ctx = padded * STREAMS
        self.micro_batch = micro_batch
        parameters.n_batch = parameters.n_ubatch = max(micro_batch, media_batch)
        # With a large vocabulary logits take most of the memory for computing.
        parameters.n_outputs_max = MOST_SAMPLED
        parameters.type_k = parameters.type_v = self._llama.__dict__[_GGML_TYPES[kv_type]]
        parameters.flash_attn_type = (
            self._llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
            if plain_attention(kv_type)
            else self._llama.LLAMA_FLASH_ATTN_TYPE_ENABLED
        )
        parameters.n_seq_max = STREAMS
        parameters.n_threads = parameters.n_threads_batch = self._set_threads
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
                "Choose a smaller context_size, or kv_type f16 for a model without flash attention."
            )
        self.kv_bytes = _kv_bytes(lines)
        self._memory = self._llama.llama_get_memory(self.handle)
        self._batch = self._llama.llama_batch_init(micro_batch, 0, 1)
        self._fill = _BatchArrays(self._batch, micro_batch)
        self.media_batch = media_batch
        width = int(self._llama.llama_model_n_embd_inp(model)) if media_batch else 0
        self._media = MediaBatch(media_batch, width) if media_batch else None
        self._adapter: Adapter | None = None
        self._abort = AbortFlag()
        self._abort.attach(self.handle)

    def close(self) -> None:
        """Free the context; twice is fine."""
        if self.handle:
            self._llama.llama_batch_free(self._batch)
            if self._media is not None:
                self._media.close()
            self._llama.llama_free(self.handle)
            self.handle = None

    # ------------------------------------------------------------ evaluating

    def abort(self) -> None:
        """Make the running `evaluate`, or the next one, return "aborted". From any thread."""
        self._abort.raise_()

    def evaluate(
        self, stream: int, tokens: Sequence[int], position: int, logits: Sampled
    ) -> Literal["done", "aborted"]:
        """Evaluate at most `micro_batch` tokens; those that give logits can be sampled from then.

        After "aborted" the stream is as it was before the call.
        """
        count = len(tokens)
        most = self.micro_batch if logits == "none" else min(MOST_SAMPLED, self.micro_batch)
        if not 0 < count <= most or position + count > self.context_size:
            raise EngineCrashedError(
                f"{count} tokens at position {position} do not fit a context of "
                f"{self.context_size}; please report this."
            )
        self._batch.n_tokens = count
        self._fill(tokens, position, stream, wanted=logits == "each")
        return self._decode(self._batch, stream, count, position)

    def evaluate_media(
        self, stream: int, embeddings: Embeddings, position: int, *, whole: bool
    ) -> Literal["done", "aborted"]:
        """Evaluate embeddings, one row a position; there are no logits afterwards.

        `whole`: the positions look at each other, also at later ones. After "aborted" the stream
        is as it was before the call.
        """
        count = len(embeddings)
        if not 0 < count <= self.media_batch or position + count > self.context_size:
            raise EngineCrashedError(
                f"{count} embeddings at position {position} do not fit a context of "
                f"{self.context_size}; please report this."
            )
        assert self._media is not None
        batch = self._media.filled(embeddings, stream, position)
        self._llama.llama_set_causal_attn(self.handle, not whole)
        try:
            return self._decode(batch, stream, count, position)
        finally:
            self._llama.llama_set_causal_attn(self.handle, True)

    def _decode(
        self, batch: Any, stream: int, count: int, position: int
    ) -> Literal["done", "aborted"]:
        self._use_threads(self._threads.threads(count))
        start = time.perf_counter()
        result = self._llama.llama_decode(self.handle, batch)
        if result == 0:
            self._threads.record(count, start, time.perf_counter())
            return "done"
        if result == 2:
            self._abort.lower()
            self._llama.llama_memory_seq_rm(self._memory, stream, position, -1)
            return "aborted"
        raise EngineCrashedError(
            f"llama.cpp could not evaluate {count} tokens at position {position} (code {result}). "
            "The turn was given up; the conversation is kept."
        )

    def use_adapter(self, adapter: Adapter | None) -> None:
        """Evaluate with this LoRA adapter from now on, in all streams; `None` with none."""
        if adapter == self._adapter:
            return
        module = self._llama
        if adapter is None:
            module.llama_set_adapters_lora(self.handle, None, 0, None)
        else:
            handles = (module.llama_adapter_lora_p_ctypes * 1)(adapter.handle)
            scales = (ctypes.c_float * 1)(adapter.scale)
            module.llama_set_adapters_lora(self.handle, handles, 1, scales)
        self._adapter = adapter

    def _use_threads(self, count: int) -> None:
        if count != self._set_threads:
            self._llama.llama_set_n_threads(self.handle, count, count)
            self._set_threads = count

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
        # Also when it seems to end there: a window that was put back hides from `length` what the
        # other layers still hold beyond it, and would attend to.
        self._llama.llama_memory_seq_rm(self._memory, stream, length, -1)
        if self.length(stream) == length and 0 <= self.first(stream) <= self.edge(length):
            return True
        self.clear(stream)
        return False

    def can_cut(self, stream: int, length: int) -> bool:
        """Whether `cut` to this length would keep everything that is needed to go on."""
        return length <= self.length(stream) and 0 <= self.first(stream) <= self.edge(length)

    def first(self, stream: int) -> int:
        """The first position the stream still holds in all layers; -1 when it is empty."""
        return int(self._llama.llama_memory_seq_pos_min(self._memory, stream))

    def edge(self, length: int) -> int:
        """The last position that may be the first one held, for going on after `length`."""
        return max(0, length - self.sliding_window) if self.sliding_window else 0

    def clear(self, stream: int) -> None:
        """Empty a stream."""
        self._llama.llama_memory_seq_rm(self._memory, stream, -1, -1)

    def wipe(self) -> None:
        """Empty all streams and overwrite what they held."""
        self._llama.llama_memory_clear(self._memory, True)

    def save(self, stream: int) -> StateBytes:
        """A copy of the stream's whole state."""
        return self._save(stream, 0)

    def restore(self, stream: int, state: StateBytes) -> bool:
        """Put a saved state into a stream, in place of what it holds; False when it is refused."""
        self.clear(stream)
        return self._restore(stream, state, 0)

    def save_window(self, stream: int) -> StateBytes:
        """A copy of the sliding-window layers of a stream alone."""
        return self._save(stream, self._llama.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY)

    def restore_window(self, stream: int, state: StateBytes) -> bool:
        """Put the sliding-window layers back; the other layers keep what they hold."""
        return self._restore(stream, state, self._llama.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY)

    def _save(self, stream: int, flags: int) -> StateBytes:
        size = self._llama.llama_state_seq_get_size_ext(self.handle, stream, flags)
        state = empty_state(size)
        written = self._llama.llama_state_seq_get_data_ext(
            self.handle, _pointer(state), size, stream, flags
        )
        if written != size:
            raise EngineCrashedError("llama.cpp could not save a session's state; it is dropped.")
        return state

    def _restore(self, stream: int, state: StateBytes, flags: int) -> bool:
        read = self._llama.llama_state_seq_set_data_ext(
            self.handle, _pointer(state), state.size, stream, flags
        )
        if read == state.size:
            return True
        self.clear(stream)
        return False


class _BatchArrays:
    """The arrays of a `llama_batch`; a field of the batch makes a pointer object each time."""

    def __init__(self, batch: Any, room: int) -> None:
        self._tokens, self._positions, self._logits = batch.token, batch.pos, batch.logits
        self._streams = [batch.seq_id[at] for at in range(room)]
        for at in range(room):
            batch.n_seq_id[at] = 1

    def __call__(self, tokens: Sequence[int], position: int, stream: int, *, wanted: bool) -> None:
        """`wanted`: whether the logits of each token are."""
        for at, token in enumerate(tokens):
            self._tokens[at] = token
            self._positions[at] = position + at
            self._streams[at][0] = stream
            self._logits[at] = wanted


def _pointer(state: StateBytes) -> Any:
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _kv_bytes(lines: Sequence[str]) -> int:
    """The size of the KV cache; llama.cpp tells it in its log and nowhere else."""
    sizes = (re.search(r"KV buffer size\s*=\s*([\d.]+) MiB", line) for line in lines)
    return int(sum(float(found.group(1)) for found in sizes if found) * 1024 * 1024)
