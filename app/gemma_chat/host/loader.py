"""How the settings say a model is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gemma_chat.config.settings import MemorySettings, ModelSettings
from gemma_chat.host.model_slot import ModelLoader
from gemma_chat.sessions.loading import load_model
from gemma_chat.sessions.model import InferenceModel


def model_loader(model: ModelSettings, memory: MemorySettings, states_dir: Path) -> ModelLoader:
    """How a model is loaded with these settings."""

    async def load(path: Path, progress: Callable[[float], None]) -> InferenceModel:
        return await load_model(
            path,
            context_size=model.context_size,
            threads=model.threads,
            progress=progress,
            use_extra_bufts=None if model.use_extra_bufts == "auto" else model.use_extra_bufts,
            states_mb=memory.states_mb,
            states_dir=states_dir,
            states_disk_mb=round(memory.disk_gb * 1024),
            gpu_layers=model.gpu_layers,
            kv_type=model.kv_type,
            micro_batch=model.micro_batch,
            prompt_lookup=model.prompt_lookup,
            memory_map=model.memory_map,
            lock_memory=model.lock_memory,
        )

    return load
