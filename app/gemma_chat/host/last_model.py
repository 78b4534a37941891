"""The model comes back after the host was killed: the one it had, whoever chose it.

What is in memory is noted as soon as it is, and forgotten when the host leaves in good order, so
that a note is found only after a death. A model that is being loaded is not noted yet: when that
ends the host, the one of the start comes back.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from gemma_chat.errors import StoreError
from gemma_chat.host.model_source import ModelLoader, ModelSource, ServerModel
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.last_model import KnownModel
from gemma_chat.store.store import Store

_log = logging.getLogger(__name__)


class LastModel:
    """What the host before this one had in memory, and what this one has."""

    def __init__(self, store: Store) -> None:
        """Read what the host before left; nobody may have noted anything since."""
        self._kept = store.last_model
        self.source = _source(self._kept.find())
        """What the host had that was killed; `None` after one that left in good order."""

    def noted(self, load: ModelLoader) -> ModelLoader:
        """`load`, which notes what it has loaded."""

        async def loading(source: ModelSource, progress: Callable[[float], None]) -> InferenceModel:
            self._write(None)
            model = await load(source, progress)
            self._write(source)
            return model

        return loading

    def forget(self) -> None:
        """The host leaves in good order."""
        self._write(None)

    def _write(self, source: ModelSource | None) -> None:
        try:
            if source is None:
                self._kept.forget()
            else:
                self._kept.note(_known(source))
        except StoreError as error:
            # At worst another model is loaded after a crash; nobody is kept waiting for that.
            _log.error("the model in memory: %s", error)


def _known(source: ModelSource) -> KnownModel:
    if isinstance(source, ServerModel):
        return KnownModel(server=source.url, server_model=source.name)
    return KnownModel(os.fsencode(source))


def _source(known: KnownModel | None) -> ModelSource | None:
    if known is None:
        return None
    if known.server:
        return ServerModel(known.server, known.server_model)
    return Path(os.fsdecode(known.path))
