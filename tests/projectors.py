"""Small projectors with random weights, and the pictures and recordings to put through them.

Tensor names and keys as llama.cpp's `clip.cpp` reads them: SigLIP with Gemma 3's projection for
images, Whisper's encoder with Ultravox's projection for audio.
"""

from __future__ import annotations

import io
import math
import wave
from array import array
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
from PIL import Image

WIDTH = 16
"""Of the encoders."""
IMAGE_TOKENS = 16
AUDIO_TOKENS = 30
"""Of each half a minute that has begun."""


class _Tensors:
    """Adds tensors of random numbers to a file."""

    def __init__(self, writer: gguf.GGUFWriter, without: str) -> None:
        self._writer = writer
        self._without = without
        self._random = np.random.default_rng(7)

    def add(
        self, name: str, *shape: int, around: float = 0.0, scale: float = 0.3, half: bool = False
    ) -> None:
        if name == self._without:
            return
        numbers = around + scale * self._random.standard_normal(shape)
        self._writer.add_tensor(name, numbers.astype(np.float16 if half else np.float32))

    def add_blocks(self, prefix: str, *, key_bias: bool) -> None:
        """Two layers of a transformer."""
        for block in (f"{prefix}.blk.{number}" for number in range(2)):
            for part in ("q", "k", "v", "out"):
                self.add(f"{block}.attn_{part}.weight", WIDTH, WIDTH)
                if part != "k" or key_bias:
                    self.add(f"{block}.attn_{part}.bias", WIDTH)
            for part in ("ln1", "ln2"):
                self.add(f"{block}.{part}.weight", WIDTH, around=1.0)
                self.add(f"{block}.{part}.bias", WIDTH)
            self.add(f"{block}.ffn_up.weight", 2 * WIDTH, WIDTH)
            self.add(f"{block}.ffn_up.bias", 2 * WIDTH)
            self.add(f"{block}.ffn_down.weight", WIDTH, 2 * WIDTH)
            self.add(f"{block}.ffn_down.bias", WIDTH)
        self.add(f"{prefix}.post_ln.weight", WIDTH, around=1.0)
        self.add(f"{prefix}.post_ln.bias", WIDTH)


def write_projector(
    path: Path,
    width: int,
    *,
    image: bool = True,
    audio: bool = False,
    architecture: str = "clip",
    without: str = "",
) -> Path:
    """Write a projector to embeddings of `width` numbers, `without` one of its tensors."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_bool("clip.has_vision_encoder", image)
    writer.add_bool("clip.has_audio_encoder", audio)
    writer.add_bool("clip.use_gelu", True)
    tensors = _Tensors(writer, without)
    if image:
        _add_vision(writer, tensors, width)
    if audio:
        _add_audio(writer, tensors, width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_section(writer: gguf.GGUFWriter, section: str, kind: str, width: int) -> None:
    writer.add_string(f"clip.{section}.projector_type", kind)
    writer.add_uint32(f"clip.{section}.embedding_length", WIDTH)
    writer.add_uint32(f"clip.{section}.feed_forward_length", 2 * WIDTH)
    writer.add_uint32(f"clip.{section}.block_count", 2)
    writer.add_uint32(f"clip.{section}.attention.head_count", 2)
    writer.add_uint32(f"clip.{section}.projection_dim", width)
    writer.add_float32(f"clip.{section}.attention.layer_norm_epsilon", 1e-6)


def _add_vision(writer: gguf.GGUFWriter, tensors: _Tensors, width: int) -> None:
    _add_section(writer, "vision", "gemma3", width)
    writer.add_uint32("clip.vision.image_size", 64)
    writer.add_uint32("clip.vision.patch_size", 8)
    writer.add_uint32("clip.vision.projector.scale_factor", 2)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    tensors.add("v.patch_embd.weight", WIDTH, 3, 8, 8)
    tensors.add("v.patch_embd.bias", WIDTH)
    tensors.add("v.position_embd.weight", 64, WIDTH)
    tensors.add_blocks("v", key_bias=True)
    tensors.add("mm.input_projection.weight", WIDTH, width, scale=3.0)
    tensors.add("mm.soft_emb_norm.weight", WIDTH, around=1.0)


def _add_audio(writer: gguf.GGUFWriter, tensors: _Tensors, width: int) -> None:
    stacked = 50
    _add_section(writer, "audio", "ultravox", width)
    writer.add_uint32("clip.audio.num_mel_bins", 80)
    writer.add_uint32("clip.audio.projector.stack_factor", stacked)
    tensors.add("a.conv1d.1.weight", WIDTH, 80, 3, half=True)
    tensors.add("a.conv1d.1.bias", WIDTH, 1)
    tensors.add("a.conv1d.2.weight", WIDTH, WIDTH, 3, half=True)
    tensors.add("a.conv1d.2.bias", WIDTH, 1)
    tensors.add("a.position_embd.weight", 1500, WIDTH)
    tensors.add_blocks("a", key_bias=False)
    tensors.add("mm.a.mlp.1.weight", WIDTH, WIDTH * stacked)
    tensors.add("mm.a.mlp.2.weight", width, WIDTH // 2, scale=3.0)
    tensors.add("mm.a.norm_pre.weight", WIDTH * stacked, around=1.0)
    tensors.add("mm.a.norm_mid.weight", WIDTH // 2, around=1.0)


def picture(seed: int, *, form: str = "PNG", size: tuple[int, int] = (48, 32)) -> bytes:
    """A picture of random pixels, as the bytes of its file."""
    random = np.random.default_rng(seed)
    pixels: npt.NDArray[np.uint8] = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def tone(hertz: float, seconds: float = 0.5) -> bytes:
    """A recording of one tone, as the bytes of a WAV file."""
    rate = 8000
    waves = (math.sin(2 * math.pi * hertz * at / rate) for at in range(round(rate * seconds)))
    samples = array("h", (round(20_000 * value) for value in waves))
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(samples.tobytes())
    return file.getvalue()
