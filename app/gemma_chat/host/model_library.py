"""The models a person can choose from: files on this machine, what can be got, and downloads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings
from gemma_chat.errors import GemmaChatError, HostError
from gemma_chat.host.downloading import Fetch, fetching_into
from gemma_chat.host.downloads import Downloads
from gemma_chat.host.limits import checked_token, whole_path
from gemma_chat.host.memory_fit import fit_of, needed_by
from gemma_chat.host.protocol import (
    ChangeDownload,
    DescribeModel,
    Done,
    ListModels,
    ModelFacts,
    ModelFileView,
    Models,
    ModelView,
    OfferView,
    RemoveModel,
    Reply,
    StartDownload,
)
from gemma_chat.models.catalogue import CATALOGUE
from gemma_chat.models.discovery import choose_model, local_models
from gemma_chat.models.gguf_file import read_layout
from gemma_chat.models.gguf_header import MODEL, check_model_file, parts_of
from gemma_chat.models.places import FoundModel, found_models, named_models
from gemma_chat.models.projector_choice import choose_projector
from gemma_chat.models.projector_file import check_projector_file
from gemma_chat.models.removal import remove_model
from gemma_chat.terms import MediaKind

ModelRequest = ListModels | DescribeModel | StartDownload | ChangeDownload | RemoveModel

_DOWNLOADS_FILE = "downloads.json"


class ModelLibrary:
    """Answers what is asked about model files."""

    def __init__(
        self,
        paths: Paths,
        read_settings: Callable[[], Settings],
        *,
        loaded: Callable[[], ModelView],
        on_downloads: Callable[[], None],
        on_got: Callable[[str, Path], None],
        fetch: Fetch | None = None,
    ) -> None:
        """`loaded` tells of the model in memory; `on_got` is told of each finished download.

        `fetch` downloads; without it a process of its own does.
        """
        self._paths = paths
        self._read_settings = read_settings
        self._loaded = loaded
        self.downloads = Downloads(
            fetch or fetching_into(paths.models_dir),
            paths.models_dir,
            paths.data_dir / _DOWNLOADS_FILE,
            on_change=on_downloads,
            on_got=on_got,
        )

    async def answer(self, request: ModelRequest) -> Reply:
        """Carry out a request; raises `GemmaChatError`."""
        match request:
            case ListModels():
                return await asyncio.to_thread(self._list, request.id)
            case DescribeModel():
                return await asyncio.to_thread(self._describe, request)
            case StartDownload():
                self._paths.make_folders()
                self.downloads.start(request.name, checked_token(request.token))
            case ChangeDownload():
                await self._change(request)
            case RemoveModel():
                await asyncio.to_thread(self._remove, whole_path(request.path))
        return Done(request.id)

    async def _change(self, request: ChangeDownload) -> None:
        match request.wish:
            case "pause":
                self.downloads.pause(request.download)
            case "resume":
                self.downloads.resume(request.download, checked_token(request.token))
            case "drop":
                await self.downloads.drop(request.download)

    # ------------------------------------------------------------ what there is

    def _list(self, number: int) -> Models:
        settings = self._read_settings()
        free, total = self._memory(settings)
        files = found_models(self._paths, os.environ, Path.home())
        chosen = choose_model(self._paths, settings.model.path)
        named = named_models((self._loaded().path, str(chosen or "")), files)
        return Models(
            id=number,
            files=tuple(
                _file_view(one, free, total) for one in (*named, *files) if _can_be_told(one.path)
            ),
            offers=_offers(free, total),
            chosen="" if chosen is None or not _can_be_told(chosen) else str(chosen),
            memory_bytes=total,
            disk_bytes=_free_disk(self._paths.models_dir),
            folder=str(self._paths.models_dir),
        )

    def _describe(self, request: DescribeModel) -> ModelFacts:
        path = whole_path(request.path)
        settings = self._read_settings()
        free, total = self._memory(settings)
        try:
            header = check_model_file(path)
            layout = read_layout(path, MODEL)
        except GemmaChatError as error:
            return ModelFacts(request.id, request.path, fault=str(error))
        parts = parts_of(path, header.parts)
        weights = sum(one.stat().st_size for one in parts if one.is_file())
        needed = needed_by(layout, weights, settings.model, settings.memory)
        return ModelFacts(
            id=request.id,
            path=request.path,
            name=header.name,
            architecture=header.architecture,
            quantisation=header.quantisation,
            parameters=header.parameters,
            context_length=header.context_length,
            has_template=header.has_chat_template,
            modalities=_modalities(path, settings),
            needed_bytes=needed,
            fit=fit_of(needed, free=free, total=total),
        )

    def _memory(self, settings: Settings) -> tuple[int, int]:
        """The bytes that are free once the model in memory has gone, and those of the machine."""
        memory, view = psutil.virtual_memory(), self._loaded()
        given_back = view.kv_resident_bytes + view.kv_saved_bytes
        if not settings.model.memory_map:
            # Weights that are mapped count as free already: they need not be kept.
            given_back += view.weights_bytes
        return int(memory.available) + (0 if view.server else given_back), int(memory.total)

    # ------------------------------------------------------------ removing

    def _remove(self, path: Path) -> None:
        own = next((one for one in local_models(self._paths) if one.path == path), None)
        if own is None:
            raise HostError(
                f"{path} is not in the program's own folder {self._paths.models_dir}; it is left "
                "alone. Remove it with the program it belongs to."
            )
        if str(path) == self._loaded().path:
            raise HostError(f"{path.name} is loaded. Load another model first, then remove it.")
        remove_model(path, self._paths.models_dir)


def _file_view(model: FoundModel, free: int, total: int) -> ModelFileView:
    return ModelFileView(
        path=str(model.path),
        name=model.name,
        bytes=model.bytes,
        place=model.place,
        source=model.source,
        fit=fit_of(model.bytes, free=free, total=total),
    )


def _offers(free: int, total: int) -> tuple[OfferView, ...]:
    return tuple(
        OfferView(
            name=entry.id,
            repository=entry.repository,
            licence=entry.licence,
            download_bytes=entry.download_bytes,
            needed_bytes=entry.needed_memory_bytes,
            modalities=entry.modalities,
            abilities=entry.abilities,
            explanation=entry.explanation,
            fit=fit_of(entry.needed_memory_bytes, free=free, total=total),
        )
        for entry in CATALOGUE
        if entry.repository
    )


def _modalities(path: Path, settings: Settings) -> tuple[MediaKind, ...]:
    """What the model takes beside text, by the projector that lies beside it."""
    try:
        projector = choose_projector(path, settings.model.projector)
        return check_projector_file(projector).modalities if projector else ()
    except GemmaChatError:
        return ()


def _free_disk(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0


def _can_be_told(path: Path) -> bool:
    """Whether a path can be sent: names that are no text cannot."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
