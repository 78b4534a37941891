"""What a server is, and which model it offers: asked once, when it is connected.

Sources: `GET /v1/models` is OpenAI's, with `max_model_len` added by vLLM and `meta` by
llama-server; `GET /props` is llama-server's.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import msgspec

from gemma_chat.errors import ServerError
from gemma_chat.remote.address import ServerAddress
from gemma_chat.remote.asking import Refusal, ask
from gemma_chat.remote.faults import Faults
from gemma_chat.remote.options import MOST_CONTEXT, ServerOptions
from gemma_chat.remote.request import Dialect
from gemma_chat.remote.wire import Patience, Question
from gemma_chat.terms import MediaKind

UNKNOWN_CONTEXT = 4096
"""The window when neither the server nor the settings tell it: Ollama's own default."""

_ANSWER_SECONDS = 15.0
_NAMED = 8
_NAME_CHARACTERS = 200
_OWNERS: dict[str, Dialect] = {
    "llamacpp": "llama-server",
    "me": "llama-cpp-python",
    "vllm": "vllm",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A server's model. `context_size` is in tokens, one conversation's window."""

    model: str
    dialect: Dialect
    context_size: int
    models: tuple[str, ...] = ()
    """All names the server offers."""
    modalities: tuple[MediaKind, ...] = ("image", "audio")
    """What it takes beside text; where a server does not tell, it is left to refuse."""

    @property
    def name(self) -> str:
        """The model's name as it is shown: of a path, the file's without its ending."""
        file = PurePosixPath(self.model).name
        return (file.removesuffix(".gguf") or self.model)[:_NAME_CHARACTERS]


class _Meta(msgspec.Struct):
    n_ctx: int | None = None


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


class _Generation(msgspec.Struct):
    n_ctx: int = 0


class _Modalities(msgspec.Struct):
    vision: bool = False
    audio: bool = False


class _Props(msgspec.Struct):
    default_generation_settings: _Generation
    modalities: _Modalities | None = None


class Discovery:
    """Asks one server what it is."""

    def __init__(self, address: ServerAddress, options: ServerOptions) -> None:
        self._address = address
        self._options = options
        self._faults = Faults(address, model=options.model, key=options.api_key)
        self._patience = Patience(options.connect_seconds, _ANSWER_SECONDS, _ANSWER_SECONDS)

    def find(self) -> Found:
        """Ask; blocks. Raises `ServerError`."""
        models = self._models()
        chosen = self._choose(models)
        props = self._props()
        dialect = "llama-server" if props else _OWNERS.get(chosen.owned_by or "", "other")
        told = (
            (_context_of(props) if props else 0)
            or chosen.max_model_len
            or (chosen.meta.n_ctx if chosen.meta else 0)
            or 0
        )
        context = self._options.context_size or min(told, MOST_CONTEXT)
        if not context:
            _log.warning(
                "%s does not tell its context; %d tokens are assumed. Set server.context_size.",
                self._address.url,
                UNKNOWN_CONTEXT,
            )
        names = tuple(model.id for model in models)
        size = context or UNKNOWN_CONTEXT
        if props is None or props.modalities is None:
            return Found(chosen.id, dialect, size, names)
        return Found(chosen.id, dialect, size, names, _taken(props.modalities))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        question = Question(self._address, method, path, self._options.api_key, data)
        return ask(question, self._patience, self._faults)

    def _models(self) -> list[_Model]:
        try:
            answer = self._ask("GET", "/v1/models")
            return msgspec.convert(answer, _Models).data
        except Refusal as refusal:
            if refusal.head.status in (404, 405) and self._options.model:
                # A server with one model need not list it; the first turn shows whether it has it.
                return [_Model(self._options.model)]
            raise self._faults.of_status(refusal.head, refusal.body) from None
        except msgspec.ValidationError as error:
            raise self._faults.unreadable(f"a list of models that is none ({error})") from None

    def _choose(self, models: list[_Model]) -> _Model:
        wanted = self._options.model
        if not wanted and models:
            return models[0]
        if not models:
            raise self._faults.other("offers no model. Load one there, and connect again.")
        for model in models:
            # Ollama's names end in a tag, and the one that everybody means need not be written.
            if model.id in (wanted, f"{wanted}:latest") or PurePosixPath(model.id).name == wanted:
                return model
        offered = ", ".join(model.id for model in models[:_NAMED])
        more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
        raise self._faults.other(
            f"has no model {wanted!r}. It offers: {self._faults.quoted(offered)}{more}. Set "
            "server.model, or start with --server-model."
        )

    def _props(self) -> _Props | None:
        """What llama-server tells of itself, or `None` when it is another server."""
        try:
            props = msgspec.convert(self._ask("GET", "/props"), _Props)
        except (Refusal, ServerError, msgspec.ValidationError):
            return None
        return props if _context_of(props) else None


def _context_of(props: _Props) -> int:
    return max(0, props.default_generation_settings.n_ctx)


def _taken(modalities: _Modalities) -> tuple[MediaKind, ...]:
    given: tuple[tuple[MediaKind, bool], ...] = (
        ("image", modalities.vision),
        ("audio", modalities.audio),
    )
    return tuple(name for name, taken in given if taken)
