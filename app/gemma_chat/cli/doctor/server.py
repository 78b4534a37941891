"""The chat server of the settings, which takes the place of a model."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gemma_chat.cli.doctor.finding import Finding, fault, ok
from gemma_chat.config.settings import ServerSettings
from gemma_chat.errors import GemmaChatError
from gemma_chat.host.model_source import api_key
from gemma_chat.remote.engine import RemoteEngine
from gemma_chat.remote.options import ServerOptions

_REMEDY = (
    'Name another: gemma-chat config set server.url URL. With "" for the URL, a model of this '
    "machine is loaded again."
)


def server_findings(settings: ServerSettings) -> Iterator[Finding]:
    """Ask the server what it offers; no question reaches its model."""
    try:
        engine = RemoteEngine.connect(
            settings.url,
            ServerOptions(
                model=settings.model,
                max_parallel=settings.max_parallel,
                context_size=settings.context_size,
                api_key=api_key(settings.url, settings, os.environ),
                connect_seconds=settings.connect_seconds,
                silence_seconds=settings.silence_seconds,
            ),
        )
    except GemmaChatError as error:
        yield fault("server", str(error), _REMEDY)
        return
    yield ok("server", f"{settings.url} answers")
    model = engine.description
    yield ok("server's model", f"{model.name}, context {model.context_size} tokens")
