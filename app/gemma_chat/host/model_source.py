"""Where the host's model is: in a file, or on a chat server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import MemorySettings, ModelSettings, ServerSettings, Settings
from gemma_chat.engine.configured import engine_options
from gemma_chat.errors import SettingsError
from gemma_chat.models.discovery import choose_model
from gemma_chat.models.projector_choice import choose_projector
from gemma_chat.remote.address import ServerAddress
from gemma_chat.sessions.connecting import connect_server
from gemma_chat.sessions.loading import load_with
from gemma_chat.sessions.model import InferenceModel


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model that a chat server holds; an empty `name` is the first it offers."""

    url: str
    name: str = ""


ModelSource = Path | ServerModel
ModelLoader = Callable[[ModelSource, Callable[[float], None]], Awaitable[InferenceModel]]
"""Loads a model and reports the share that is loaded; raises `GemmaChatError`."""


def chosen_source(
    paths: Paths, settings: Settings, *, model: str = "", server: str = "", server_model: str = ""
) -> ModelSource | None:
    """What is loaded: what the command line names, else the server or file of the settings."""
    url = server or settings.server.url
    if url and not model:
        return ServerModel(url, server_model or settings.server.model)
    return choose_model(paths, model or settings.model.path)


def loader(read_settings: Callable[[], Settings], states_dir: Path) -> ModelLoader:
    """How a model is loaded, or a server connected, with the settings of that moment.

    They are read for each model anew: a setting that kept one from being loaded can be mended
    while the host runs.
    """

    async def load(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
        settings = read_settings()
        if isinstance(source, ServerModel):
            return await _connect(source, settings.server)
        return await _load(source, settings.model, settings.memory, states_dir, progress)

    return load


async def _load(
    path: Path,
    model: ModelSettings,
    memory: MemorySettings,
    states_dir: Path,
    progress: Callable[[float], None],
) -> InferenceModel:
    projector = await asyncio.to_thread(choose_projector, path, model.projector)
    options = engine_options(model, memory, states_dir=states_dir, projector=projector)
    return await load_with(path, options, progress=progress)


async def _connect(source: ServerModel, settings: ServerSettings) -> InferenceModel:
    return await connect_server(
        source.url,
        model=source.name,
        api_key=api_key(source.url, settings, os.environ),
        max_parallel=settings.max_parallel,
        context_size=settings.context_size,
        connect_seconds=settings.connect_seconds,
        silence_seconds=settings.silence_seconds,
    )


def api_key(url: str, settings: ServerSettings, environment: Mapping[str, str]) -> str:
    """The key for the server at `url`, or an empty string.

    The key of the server in the settings is not for another one that the command line names.
    Raises `SettingsError` when the variable is not set.
    """
    name = settings.api_key_env
    if not name:
        return ""
    if settings.url and ServerAddress.parse(settings.url) != ServerAddress.parse(url):
        return ""
    key = environment.get(name, "").strip()
    if not key:
        raise SettingsError(
            f"server.api_key_env names the variable {name}, which is not set for the host. Export "
            "it, end the host with `gemma-chat host stop`, and start again."
        )
    return key
