"""Models worth knowing: where they are, what they can do, what they need.

File names are patterns, resolved against the repository when downloading: makers rename files.
Sizes are about right, for choosing; the repository knows the exact ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gemma_chat.quantities import GB, MB
from gemma_chat.terms import MediaKind

Ability = Literal["thinking", "tools"]

GEMMA_TERMS = "Gemma Terms of Use"
APACHE = "Apache-2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One model. `file_patterns` are tried in order; sizes are in bytes."""

    id: str
    repository: str
    """The repository on the Hugging Face hub, or an empty string for the embedded model."""
    file_patterns: tuple[str, ...]
    projector_pattern: str = ""
    """The file for images and audio, or an empty string."""
    download_bytes: int
    needed_memory_bytes: int
    modalities: tuple[Literal["text"] | MediaKind, ...] = ("text",)
    abilities: tuple[Ability, ...] = ()
    licence: str = GEMMA_TERMS
    explanation: str = ""


CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        id="gemma-4-e2b",
        repository="ggml-org/gemma-4-E2B-it-GGUF",
        file_patterns=("*Q4_K_M*", "*Q8_0*"),
        projector_pattern="mmproj*",
        download_bytes=int(3.4 * GB),
        needed_memory_bytes=6 * GB,
        modalities=("text", "image", "audio"),
        abilities=("thinking", "tools"),
        licence=APACHE,
        explanation="The smallest Gemma 4; for laptops.",
    ),
    CatalogueEntry(
        id="gemma-4-e4b",
        repository="ggml-org/gemma-4-E4B-it-GGUF",
        file_patterns=("*Q4_K_M*", "*Q8_0*"),
        projector_pattern="mmproj*",
        download_bytes=5 * GB,
        needed_memory_bytes=8 * GB,
        modalities=("text", "image", "audio"),
        abilities=("thinking", "tools"),
        licence=APACHE,
        explanation="Gemma 4 for most machines.",
    ),
    CatalogueEntry(
        id="gemma-4-12b",
        repository="unsloth/gemma-4-12B-it-qat-GGUF",
        file_patterns=("gemma-4-12B-it-qat-UD-Q4_K_XL.gguf",),
        projector_pattern="mmproj-BF16.gguf",
        download_bytes=7 * GB,
        needed_memory_bytes=12 * GB,
        modalities=("text", "image"),
        abilities=("thinking", "tools"),
        licence=APACHE,
        explanation="Trained to be quantised; for machines with 16 GB.",
    ),
    CatalogueEntry(
        id="gemma-4-26b-a4b",
        repository="ggml-org/gemma-4-26B-A4B-it-GGUF",
        file_patterns=("*Q4_K_M*",),
        projector_pattern="mmproj*",
        download_bytes=16 * GB,
        needed_memory_bytes=24 * GB,
        modalities=("text", "image"),
        abilities=("thinking", "tools"),
        licence=APACHE,
        explanation="Large but quick: only 4 of its 26 billion weights work on each token.",
    ),
    CatalogueEntry(
        id="gemma-4-31b",
        repository="ggml-org/gemma-4-31B-it-GGUF",
        file_patterns=("*Q4_K_M*",),
        projector_pattern="mmproj*",
        download_bytes=19 * GB,
        needed_memory_bytes=32 * GB,
        modalities=("text", "image"),
        abilities=("thinking", "tools"),
        licence=APACHE,
        explanation="The best and slowest of Gemma 4.",
    ),
    CatalogueEntry(
        id="gemma-3-270m",
        repository="unsloth/gemma-3-270m-it-GGUF",
        file_patterns=("*Q8_0*",),
        download_bytes=int(0.3 * GB),
        needed_memory_bytes=1 * GB,
        explanation="Tiny: simple tasks on any machine.",
    ),
    CatalogueEntry(
        id="gemma-3-1b",
        repository="ggml-org/gemma-3-1b-it-GGUF",
        file_patterns=("*Q4_K_M*",),
        download_bytes=int(0.8 * GB),
        needed_memory_bytes=2 * GB,
        explanation="Small and quick, text only.",
    ),
    CatalogueEntry(
        id="gemma-3-4b",
        repository="ggml-org/gemma-3-4b-it-GGUF",
        file_patterns=("*Q4_K_M*",),
        projector_pattern="mmproj*",
        download_bytes=int(3.4 * GB),
        needed_memory_bytes=5 * GB,
        modalities=("text", "image"),
        explanation="Gemma 3 with eyes, for laptops.",
    ),
    CatalogueEntry(
        id="gemma-3-12b",
        repository="ggml-org/gemma-3-12b-it-GGUF",
        file_patterns=("*Q4_K_M*",),
        projector_pattern="mmproj*",
        download_bytes=7 * GB,
        needed_memory_bytes=12 * GB,
        modalities=("text", "image"),
        explanation="Gemma 3 for machines with 16 GB.",
    ),
    CatalogueEntry(
        id="gemma-3-27b",
        repository="ggml-org/gemma-3-27b-it-GGUF",
        file_patterns=("*Q4_K_M*",),
        projector_pattern="mmproj*",
        download_bytes=16 * GB,
        needed_memory_bytes=24 * GB,
        modalities=("text", "image"),
        explanation="The largest Gemma 3.",
    ),
    CatalogueEntry(
        id="functiongemma-270m",
        repository="unsloth/functiongemma-270m-it-GGUF",
        file_patterns=("*Q8_0*",),
        download_bytes=int(0.3 * GB),
        needed_memory_bytes=1 * GB,
        abilities=("tools",),
        explanation="Calls tools, one turn at a time; no conversation partner.",
    ),
    CatalogueEntry(
        id="smollm2-135m",
        repository="",
        file_patterns=("SmolLM2-135M-Instruct.Q4_1.gguf",),
        download_bytes=98 * MB,
        needed_memory_bytes=int(0.5 * GB),
        licence=APACHE,
        explanation="On board with the demo extra; for trying the program out.",
    ),
)


def catalogue_entry(model: str) -> CatalogueEntry | None:
    """The entry with this id (`model`), or None."""
    return next((entry for entry in CATALOGUE if entry.id == model), None)
