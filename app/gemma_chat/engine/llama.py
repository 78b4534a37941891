"""The real engine: one model file, one context with a few KV streams, one sampler a turn."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import psutil

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine import prefix, safety
from gemma_chat.engine.context import Context
from gemma_chat.engine.interface import (
    ChatMessage,
    EngineOptions,
    LoadControl,
    MemoryFigures,
    ModelDescription,
    Prompt,
    SequenceHandle,
)
from gemma_chat.engine.memory import HeldSequence, KVMemory, Lane, StateShelf
from gemma_chat.engine.prompt import PromptWriter
from gemma_chat.engine.sampler import Sampler
from gemma_chat.engine.text import TextStream
from gemma_chat.engine.turn import LlamaTurn
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.engine.weights import Weights
from gemma_chat.errors import ContextOverflowError, ModelLoadError, SettingsError

DEFAULT_CONTEXT = 8192
SMALLEST_CONTEXT = 64
_MOST_STATES = 2 * 1024**3
_CACHED_RUN = 16_384


class LlamaEngine:
    """A loaded model with its KV memory; see `gemma_chat.engine.interface.Engine`."""

    @classmethod
    def load(
        cls, path: Path, options: EngineOptions, control: LoadControl | None = None
    ) -> LlamaEngine:
        """Load a model file.

        Blocks; `control.progress` goes from 0 to 1 and `control.cancelled` gives up.

        Raises:
            ModelLoadError: the file is missing, damaged, unknown or too large.
            LoadCancelledError: `control.cancelled` was set.
            SettingsError: an option is not allowed.
        """
        control = control or LoadControl()
        mode = safety.safe_mode(path, options)
        weights = Weights(
            path,
            use_extra_bufts=mode.use_extra_bufts,
            gpu_layers=mode.gpu_layers,
            control=control,
        )
        try:
            return cls(weights, options, mode)
        except BaseException:
            weights.close()
            raise

    def __init__(self, weights: Weights, options: EngineOptions, mode: safety.Mode) -> None:
        if not weights.generates:
            raise ModelLoadError(
                f"{weights.path} is not a text generation model. Choose a chat model."
            )
        context_size = _context_size(options.context_size, weights.trained_context_size)
        self._weights = weights
        self._vocabulary = Vocabulary(weights.vocabulary)
        self._tokenize = lru_cache(maxsize=4096)(self._vocabulary.tokenize)
        self._writer = PromptWriter(
            self._vocabulary,
            architecture=weights.metadata("general.architecture"),
            template=weights.chat_template,
        )
        self._context = Context(
            weights.handle,
            context_size=context_size,
            threads=mode.threads or options.threads or physical_cores(),
            sliding_window=weights.sliding_window,
        )
        shelf = StateShelf(_states_budget(options.states_mb))
        self._memory = KVMemory(self._context, shelf)
        self._closing = threading.Lock()
        self._description = ModelDescription(
            path=str(weights.path),
            name=weights.metadata("general.name") or weights.path.stem,
            architecture=weights.metadata("general.architecture"),
            family=self._writer.family,
            parameters=weights.parameters,
            weights_bytes=weights.bytes,
            context_size=context_size,
            trained_context_size=weights.trained_context_size,
            vocabulary_size=self._vocabulary.size,
            sliding_window=weights.sliding_window,
            template_source=self._writer.source,
            safe_mode=mode.words,
        )

    # ------------------------------------------------------------ from any thread

    @property
    def description(self) -> ModelDescription:
        """What is loaded."""
        return self._description

    def figures(self) -> MemoryFigures:
        """Current memory use."""
        return MemoryFigures(
            weights_bytes=self._description.weights_bytes,
            kv_resident_bytes=self._context.kv_bytes,
            kv_saved_bytes=self._memory.shelf.bytes,
        )

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text` by itself."""
        return self._vocabulary.count(text)

    def prompt(self, messages: Sequence[ChatMessage]) -> Prompt:
        """Render a conversation; see the interface."""
        pieces = self._writer.write(messages)
        count = sum(1 if isinstance(p, int) else len(self._run_tokens(p)) for p in pieces)
        return Prompt(pieces, count)

    def _run_tokens(self, run: bytes) -> list[int]:
        if len(run) > _CACHED_RUN:
            return self._vocabulary.tokenize(run)
        return self._tokenize(run)

    def open_sequence(self) -> SequenceHandle:
        """A new, empty sequence."""
        return HeldSequence()

    def fork(self, sequence: SequenceHandle) -> SequenceHandle:
        """A new sequence that shares what the other has saved."""
        parent = cast(HeldSequence, sequence)
        child = HeldSequence()
        self._memory.shelf.share(parent, child)
        if child.saved is not None:
            child.tokens.extend(child.saved.tokens)
        return child

    def release(self, sequence: SequenceHandle) -> None:
        """Give back the sequence's memory; its stream is taken over by whoever needs it next."""
        self._memory.shelf.remove(cast(HeldSequence, sequence))

    # ------------------------------------------------------------ engine thread

    def begin(
        self,
        sequence: SequenceHandle,
        prompt: Prompt,
        sampling: SamplingSettings,
        lane: Lane,
    ) -> LlamaTurn:
        """Prepare one turn; see the interface."""
        if prompt.token_count >= self._context.context_size:
            raise ContextOverflowError(
                f"The turn has {prompt.token_count} tokens and the context "
                f"{self._context.context_size}: shorten it, or load the model with a larger "
                "context_size."
            )
        held = cast(HeldSequence, sequence)
        matched, rest = prefix.plan(
            held.tokens,
            prompt.pieces,
            tokenize=self._run_tokens,
            piece=self._vocabulary.piece,
            is_control=self._vocabulary.is_control,
        )
        tokens = held.tokens[:matched] + rest
        # The logits of the last prompt token are needed, so it is evaluated in any case.
        matched = min(matched, len(tokens) - 1)
        sampler = Sampler(self._weights.vocabulary, self._vocabulary.size, sampling, tokens)
        return LlamaTurn(
            self._context,
            self._memory,
            self._vocabulary,
            held,
            prompt=tokens,
            held=matched,
            sampler=sampler,
            text=TextStream(sampling.stop),
            limit=sampling.max_output_tokens or self._context.context_size,
            lane=lane,
        )

    def close(self) -> None:
        """Free all native memory; twice is fine."""
        with self._closing:
            self._context.close()
            self._weights.close()


def physical_cores() -> int:
    """The number of cores to compute with: hyper-threads share an arithmetic unit."""
    return int(psutil.cpu_count(logical=False) or psutil.cpu_count() or 1)


def _context_size(wanted: int, trained: int) -> int:
    if wanted == 0:
        return min(trained or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    if wanted < SMALLEST_CONTEXT or (trained and wanted > trained):
        raise SettingsError(
            f"context_size = {wanted} is not allowed: this model takes "
            f"{SMALLEST_CONTEXT} to {trained} tokens, or 0 for its own."
        )
    return wanted


def _states_budget(megabytes: int) -> int:
    if megabytes:
        return megabytes * 1024**2
    return min(psutil.virtual_memory().available // 4, _MOST_STATES)
