"""A loaded model without `await`."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Engine, MemoryFigures, ModelDescription
from gemma_chat.errors import EngineCrashedError
from gemma_chat.sessions import connecting, loading
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.lock import GenerationLock
from gemma_chat.sessions.model import InferenceModel as AsyncModel
from gemma_chat.sessions.options import SessionOptions
from gemma_chat.sessions.replacement import Replacement
from gemma_chat.sessions.tool_policy import DEFAULT_POLICY, ToolPolicy
from gemma_chat.sync.chat import Chat
from gemma_chat.sync.loop import LoopThread
from gemma_chat.sync.session import Session


def load_model(path: str | PathLike[str], **options: Unpack[loading.LoadOptions]) -> InferenceModel:
    """Load a GGUF file; see `gemma_chat.load_model`. `progress` is called on the loop's thread."""
    loop = LoopThread()
    try:
        model = loop.run(loading.load_model(path, **options))
    except BaseException:
        loop.end()
        raise
    return InferenceModel(model, loop)


def connect_server(url: str, **options: Unpack[connecting.ServerConnectOptions]) -> InferenceModel:
    """Use the model of a chat server; see `gemma_chat.connect_server`.

    with gemma_chat.sync.connect_server("http://localhost:8080") as model:
        print(model.open_session().get_response("What is the sea?"))
    """
    loop = LoopThread()
    try:
        model = loop.run(connecting.connect_server(url, **options))
    except BaseException:
        loop.end()
        raise
    return InferenceModel(model, loop)


def model_on(engine: Engine, *, max_concurrent_sessions: int | None = None) -> InferenceModel:
    """A model on an engine that is loaded already."""
    return InferenceModel(
        AsyncModel(engine, max_concurrent_sessions=max_concurrent_sessions), LoopThread()
    )


class InferenceModel:
    """`gemma_chat.InferenceModel` without `await`."""

    def __init__(self, model: AsyncModel, loop: LoopThread) -> None:
        self._model = model
        self._loop = loop

    @property
    def lock(self) -> GenerationLock:
        """Who generates and who waits; its listeners are called on the loop's thread."""
        return self._model.lock

    @property
    def description(self) -> ModelDescription:
        """What is loaded."""
        return self._model.description

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._model.closed

    @property
    def failure(self) -> EngineCrashedError | None:
        """Why nothing can be asked any more, when native code failed; load the model again."""
        return self._model.failure

    @property
    def sessions(self) -> tuple[Session, ...]:
        """All open sessions, oldest first."""
        return tuple(Session(one, self._loop) for one in self._model.sessions)

    @property
    def session(self) -> Session | None:
        """The one-lane session, while it is open."""
        one = self._model.session
        return Session(one, self._loop) if one is not None else None

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`; never waits for the lock."""
        return self._model.size_in_tokens(text)

    @property
    def recommended_settings(self) -> SamplingSettings:
        """How the makers of this family of models recommend to sample."""
        return self._model.recommended_settings

    def check(self, settings: SessionSettings) -> None:
        """Raise what a session with these settings would: `SettingsError` or `AdapterError`."""
        self._model.check(settings)

    def figures(self) -> MemoryFigures:
        """Current memory use, in bytes."""
        return self._model.figures()

    def open_session(self, **options: Unpack[SessionOptions]) -> Session:
        """Open a session; see `gemma_chat.InferenceModel.open_session`."""
        return Session(self._loop.run(self._model.open_session(**options)), self._loop)

    def create_session(self, **options: Unpack[SessionOptions]) -> Session:
        """Close the one-lane session and open a fresh one."""
        return Session(self._loop.run(self._model.create_session(**options)), self._loop)

    def open_chat(
        self,
        *,
        history: Iterable[HistoryMessage] = (),
        replacements: Iterable[Replacement] = (),
        tool_policy: ToolPolicy = DEFAULT_POLICY,
        **options: Unpack[SessionOptions],
    ) -> Chat:
        """Open a chat that goes on from `history`; see `gemma_chat.InferenceModel.open_chat`."""
        opening = self._model.open_chat(
            history=history, replacements=replacements, tool_policy=tool_policy, **options
        )
        return Chat(self._loop.run(opening), self._loop)

    def create_chat(
        self,
        *,
        history: Iterable[HistoryMessage] = (),
        replacements: Iterable[Replacement] = (),
        tool_policy: ToolPolicy = DEFAULT_POLICY,
        **options: Unpack[SessionOptions],
    ) -> Chat:
        """A chat over the one-lane session."""
        creating = self._model.create_chat(
            history=history, replacements=replacements, tool_policy=tool_policy, **options
        )
        return Chat(self._loop.run(creating), self._loop)

    def close(self) -> None:
        """Stop what runs, fail what waits, free all memory; twice is fine."""
        if not self._model.closed:
            self._loop.run(self._model.close())
            self._loop.end()

    def __enter__(self) -> InferenceModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
