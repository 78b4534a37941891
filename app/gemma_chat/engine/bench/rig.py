"""What measurements stand on: one set of weights, with engines and bare loops opened on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gemma_chat.engine import safety
from gemma_chat.engine.bench.bare import BareLoop
from gemma_chat.engine.interface import EngineOptions, LoadControl, Prompt
from gemma_chat.engine.llama import LlamaEngine
from gemma_chat.engine.sizing import physical_cores
from gemma_chat.engine.vocabulary import Vocabulary
from gemma_chat.engine.weights import Weights


class SharedWeights(Weights):
    """Weights under several engines one after the other, or at once: only `free` frees them."""

    def close(self) -> None:
        """An engine is done with them."""

    def free(self) -> None:
        """Everybody is done with them; twice is fine."""
        super().close()


class Rig:
    """A loaded model.

    Args:
        path: the model file.
        options: how engines are opened on it; states are neither read nor written.
        scratch: an existing folder for files, removed by whoever made it.

    Raises:
        ModelLoadError: the model cannot be loaded.
        SettingsError: an option is not allowed.
    """

    def __init__(self, path: Path, options: EngineOptions, scratch: Path) -> None:
        self._mode = safety.safe_mode(path, options)
        self.options = replace(options, states_dir=None)
        self.threads = self._mode.threads or options.threads or physical_cores()
        self.scratch = scratch
        self._weights = SharedWeights(
            path,
            use_extra_bufts=self._mode.use_extra_bufts,
            gpu_layers=self._mode.gpu_layers,
            control=LoadControl(),
            memory_map=options.memory_map,
            lock_memory=options.lock_memory,
        )
        self._vocabulary = Vocabulary(self._weights.vocabulary)

    def close(self) -> None:
        """Free the weights, after all engines; twice is fine."""
        self._weights.free()

    @contextmanager
    def engine(self, options: EngineOptions | None = None) -> Iterator[LlamaEngine]:
        """An engine of its own, with nothing saved in it."""
        engine = LlamaEngine(self._weights, options or self.options, self._mode)
        try:
            yield engine
        finally:
            engine.close()

    @contextmanager
    def bare(self, context_size: int) -> Iterator[BareLoop]:
        """A bare loop with one thread for each core, or as many as the options say."""
        loop = BareLoop(
            self._weights.handle,
            context_size=context_size,
            threads=self.threads,
            kv_type=self.options.kv_type,
        )
        try:
            yield loop
        finally:
            loop.close()

    def tokens(self, prompt: Prompt) -> list[int]:
        """All tokens of a prompt as the tokenizer makes them, whatever an engine has of it."""
        tokens: list[int] = []
        for piece in prompt.pieces:
            if isinstance(piece, bytes):
                tokens += self._vocabulary.tokenize(piece)
            else:
                tokens += [piece] if isinstance(piece, int) else piece.tokens
        return tokens
