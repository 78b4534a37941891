"""What terminals ask about models: which to load, which there are, which to get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gemma_chat.errors import HostError
from gemma_chat.host.limits import whole_path
from gemma_chat.host.model_library import ModelLibrary, ModelRequest
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.model_source import ModelSource, ServerModel
from gemma_chat.host.protocol import (
    DownloadsChanged,
    DownloadView,
    Event,
    LoadModel,
    ModelView,
    Notice,
    Reply,
)
from gemma_chat.host.throttle import Throttle
from gemma_chat.models.gguf_header import check_model_file
from gemma_chat.remote.address import ServerAddress

PROGRESS_SECONDS = 0.25
"""The progress of downloads is told at most this often."""


class ModelsOf(Protocol):
    """Makes the library of models, which tells of its downloads."""

    def __call__(
        self,
        *,
        loaded: Callable[[], ModelView],
        on_downloads: Callable[[], None],
        on_got: Callable[[str, Path], None],
    ) -> ModelLibrary: ...


class ModelDesk:
    """Puts the slot and the library together."""

    def __init__(
        self,
        slot: ModelSlot,
        publish: Callable[[Event], None],
        library: ModelsOf | None,
        *,
        on_busy: Callable[[], None],
    ) -> None:
        """Without a `library` models are loaded by their path and nothing else.

        `on_busy` is called when `busy` may be another.
        """
        self._slot = slot
        self._publish = publish
        self._on_busy = on_busy
        self._tell = Throttle(
            PROGRESS_SECONDS, lambda: self._publish(DownloadsChanged(self.downloads))
        )
        self._library = None
        if library is not None:
            self._library = library(
                loaded=lambda: slot.view, on_downloads=self._changed, on_got=self._got
            )

    @property
    def downloads(self) -> tuple[DownloadView, ...]:
        """The unfinished downloads."""
        return () if self._library is None else self._library.downloads.views

    @property
    def busy(self) -> bool:
        """Whether a download runs."""
        return self._library is not None and self._library.downloads.busy

    def take_up(self) -> None:
        """Go on with what the host before this one was downloading."""
        if self._library is not None:
            self._library.downloads.take_up()

    async def load(self, request: LoadModel, under_way: Callable[[], bool]) -> None:
        """Load a model, at once or when nothing is `under_way`; raises what is wrong with it."""
        source = await self._source(request)
        if request.when == "idle" and under_way():
            self._slot.load_next(source)
        else:
            self._slot.load(source)

    async def answer(self, request: ModelRequest) -> Reply:
        """Carry out a request about model files."""
        if self._library is None:
            raise HostError("This host knows nothing of model files.")
        return await self._library.answer(request)

    async def close(self) -> None:
        """End the downloads for now."""
        self._tell.cancel()
        if self._library is not None:
            await self._library.downloads.close()

    async def _source(self, request: LoadModel) -> ModelSource:
        if request.server:
            ServerAddress.parse(request.server)
            return ServerModel(request.server, request.server_model)
        path = whole_path(request.path)
        if self._library is not None:
            await asyncio.to_thread(check_model_file, path)
        return path

    def _changed(self) -> None:
        self._tell.soon()
        self._on_busy()

    def _got(self, name: str, path: Path) -> None:
        self._tell.now()
        if self._slot.view.phase == "none" or (
            self._slot.view.phase == "failed" and not self._slot.view.server
        ):
            self._slot.load(path)
            self._publish(Notice("information", f"{name} is here and is being loaded."))
        else:
            self._publish(Notice("information", f"{name} is here. /model loads it."))
