"""How the settings say that a model is loaded."""

from __future__ import annotations

from pathlib import Path

from gemma_chat.config.schema import MemorySettings, ModelSettings
from gemma_chat.engine.interface import EngineOptions
from gemma_chat.quantities import GB, MB


def engine_options(
    model: ModelSettings,
    memory: MemorySettings,
    *,
    states_dir: Path | None = None,
    projector: Path | None = None,
) -> EngineOptions:
    """The options of these settings; without a `states_dir` no state is saved in a file."""
    return EngineOptions(
        context_size=model.context_size,
        threads=model.threads,
        use_extra_bufts=None if model.use_extra_bufts == "auto" else model.use_extra_bufts,
        states_mb=memory.states_mb,
        states_dir=states_dir,
        states_disk_mb=round(memory.disk_gb * GB / MB),
        gpu_layers=model.gpu_layers,
        kv_type=model.kv_type,
        micro_batch=model.micro_batch,
        prompt_lookup=model.prompt_lookup,
        memory_map=model.memory_map,
        lock_memory=model.lock_memory,
        projector_path=projector,
    )
