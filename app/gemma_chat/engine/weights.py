"""Loading a model file: the weights, what its metadata says, and what it costs."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemma_chat.engine.fit import KvShape
from gemma_chat.engine.interface import LoadControl
from gemma_chat.engine.library import native
from gemma_chat.errors import LoadCancelledError, ModelLoadError
from gemma_chat.models.gguf_file import Tensor, read_layout
from gemma_chat.models.gguf_header import MODEL, check_model_file, parts_of

_WINDOW_PATTERN = 6
"""Of so many layers one sees the whole context, in Gemma 3; newer files say it themselves."""

_LOAD_MODES = {
    (True, False): "LLAMA_LOAD_MODE_MMAP",
    (True, True): "LLAMA_LOAD_MODE_MMAP_MLOCK",
    (False, True): "LLAMA_LOAD_MODE_MLOCK",
    (False, False): "LLAMA_LOAD_MODE_NONE",
}


class Weights:
    """A loaded model file; `handle` and `vocabulary` are llama.cpp's."""

    def __init__(
        self,
        path: Path,
        *,
        use_extra_bufts: bool,
        gpu_layers: int,
        control: LoadControl,
        memory_map: bool = True,
        lock_memory: bool = False,
    ) -> None:
        self._header = check_model_file(path)
        self._llama, log = native()
        self.path = path
        parameters = self._llama.llama_model_default_params()
        parameters.use_extra_bufts = use_extra_bufts
        parameters.n_gpu_layers = gpu_layers
        parameters.load_mode = self._llama.__dict__[_LOAD_MODES[memory_map, lock_memory]]

        def watch(progress: float, _data: object) -> bool:
            control.progress = progress
            return not control.cancelled

        callback = self._llama.llama_progress_callback(watch)
        parameters.progress_callback = callback
        with log.excerpt() as lines:
            self.handle: Any = self._llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if control.cancelled:
            self.close()
            raise LoadCancelledError(f"Loading {path.name} was cancelled.")
        if not self.handle:
            raise ModelLoadError(_reason(path, lines))
        self.vocabulary: Any = self._llama.llama_model_get_vocab(self.handle)

    def close(self) -> None:
        """Free the weights; twice is fine."""
        if self.handle:
            self._llama.llama_model_free(self.handle)
            self.handle = None

    # ------------------------------------------------------------ what the file says

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors by name, those of a model in several files too."""
        return {
            name: tensor
            for part in parts_of(self.path, self._header.parts)
            for name, tensor in (
                self._header.tensors if part == self.path else read_layout(part, MODEL).tensors
            ).items()
        }

    def metadata(self, key: str) -> str:
        """One metadata value as text; an empty string where the file has none."""
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._llama.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
            if length < size:
                return buffer.value.decode("utf-8", "replace") if length >= 0 else ""
            size = length + 1

    @property
    def chat_template(self) -> str:
        """The file's own chat template, or an empty string."""
        found = self._llama.llama_model_chat_template(self.handle, None)
        return found.decode("utf-8", "replace") if found else ""

    @property
    def trained_context_size(self) -> int:
        """The longest context the model was trained on, in tokens."""
        return int(self._llama.llama_model_n_ctx_train(self.handle))

    @property
    def embedding_width(self) -> int:
        """How many numbers one input embedding has."""
        return int(self._llama.llama_model_n_embd_inp(self.handle))

    @property
    def sliding_window(self) -> int:
        """The sliding attention window in tokens; 0 where all layers see the whole context."""
        return max(0, int(self._llama.llama_model_n_swa(self.handle)))

    @property
    def kv_shape(self) -> KvShape:
        """What the KV cache of this model is made of."""
        architecture = self.metadata("general.architecture")

        def number(key: str, default: int) -> int:
            found = self.metadata(f"{architecture}.{key}")
            return int(found) if found.isdecimal() else default

        heads = max(1, int(self._llama.llama_model_n_head(self.handle)))
        width = int(self._llama.llama_model_n_embd(self.handle)) // heads
        layers = int(self._llama.llama_model_n_layer(self.handle))
        pattern = number("attention.sliding_window_pattern", _WINDOW_PATTERN)
        return KvShape(
            layers=layers,
            window_layers=layers - layers // max(1, pattern) if self.sliding_window else 0,
            window=self.sliding_window,
            heads=int(self._llama.llama_model_n_head_kv(self.handle)),
            key_length=number("attention.key_length", width),
            value_length=number("attention.value_length", width),
        )

    @property
    def bytes(self) -> int:
        """The size of all tensors."""
        return int(self._llama.llama_model_size(self.handle))

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return int(self._llama.llama_model_n_params(self.handle))

    @property
    def rewindable(self) -> bool:
        """Whether single tokens can be taken back out of the KV cache."""
        llama, handle = self._llama, self.handle
        return not (llama.llama_model_is_recurrent(handle) or llama.llama_model_is_hybrid(handle))

    @property
    def generates(self) -> bool:
        """Whether it is a text decoder: not an encoder, a diffusion model or a classifier."""
        return bool(self._llama.llama_model_has_decoder(self.handle)) and not (
            self._llama.llama_model_has_encoder(self.handle)
            or self._llama.llama_model_is_diffusion(self.handle)
        )


def _reason(path: Path, lines: list[str]) -> str:
    """A sentence out of llama.cpp's log."""
    unknown = next((line for line in lines if "unknown model architecture" in line), None)
    if unknown:
        name = unknown.partition("unknown model architecture")[2].strip(" :'\"")
        return (
            f"{path} holds a model of the architecture {name!r}, which this version of llama.cpp "
            "does not know. Update llama-cpp-python or choose another model."
        )
    said = next((line for line in lines if "error" in line.lower()), "no reason was given")
    return f"{path} cannot be loaded: llama.cpp says “{said}”. Choose another model file."
