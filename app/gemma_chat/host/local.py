"""The host's service within a shell command, for when no host runs.

The same requests and events as over the socket, without one. While a command uses the database it
holds the host's lock on it; a host that is started meanwhile waits until the command has ended.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable

import msgspec

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings, SummarizerSettings, load_settings
from gemma_chat.errors import HostError
from gemma_chat.host.client import PROGRAM
from gemma_chat.host.model_source import ModelLoader, ModelSource, loader
from gemma_chat.host.protocol import Event, Reply, Request
from gemma_chat.host.requests import Requester
from gemma_chat.host.service import Service
from gemma_chat.host.tenancy import Tenancy
from gemma_chat.store.recovery import open_or_recover
from gemma_chat.store.store import Store


class LocalHost(Requester):
    """Answers requests in this process. Made by `local_host`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def _exchange(self, request: Request) -> Reply:
        return await self._service.answer(request, os.getpid())


@contextlib.asynccontextmanager
async def local_host(
    paths: Paths,
    *,
    listener: Callable[[Event], None],
    model: ModelSource | None = None,
    stored: bool = True,
    load_model: ModelLoader | None = None,
) -> AsyncIterator[LocalHost]:
    """A host for the length of the block, with `model` when one is given.

    With `stored` it works on the conversations of `paths`, else on a store in memory. `load_model`
    replaces how models are loaded. Raises `AlreadyRunningError` when a host runs, and
    `StoreError`.
    """
    settings = load_settings(paths)
    # Nobody waits for titles and summaries here.
    quiet = msgspec.structs.replace(settings, summarizer=SummarizerSettings(enabled=False))
    loading = load_model or loader(lambda: settings, paths.states_dir)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(contextlib.closing(_store(paths, stack, stored=stored)))
        service = _service(store, quiet, loading, listener)
        try:
            if model is not None:
                service.load(model)
            yield LocalHost(service)
        finally:
            await service.left(os.getpid())
            await service.close()


def _store(paths: Paths, stack: contextlib.ExitStack, *, stored: bool) -> Store:
    if not stored:
        return Store.in_memory()
    paths.make_folders()
    tenancy = Tenancy.claim(paths.lock_file, paths.socket)
    stack.callback(tenancy.release)
    store, _ = open_or_recover(paths.database)
    return store


def _service(
    store: Store, settings: Settings, loading: ModelLoader, listener: Callable[[Event], None]
) -> Service:
    def refuse_to_stop() -> None:
        raise HostError("There is no host to stop.")

    return Service(
        store,
        lambda: settings,
        loading,
        listener,
        program=PROGRAM,
        on_stop=refuse_to_stop,
        on_turns=_nothing,
        clients=_nobody,
    )


def _nothing() -> None:
    """Nobody waits for turns to end here."""


def _nobody() -> int:
    """How many terminals are connected, this command being counted."""
    return 1
