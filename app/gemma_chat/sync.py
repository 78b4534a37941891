"""The library without `await`: the same calls, for programs that have no event loop.

    with gemma_chat.sync.load_model("model.gguf") as model:
        session = model.open_session(system_instruction="Answer as a pirate.")
        for piece in session.get_response_async("What is the sea?"):
            print(piece, end="")

A thread of its own runs the loop of a model. The calls may come from any other thread; a call that
is interrupted (control-c) stops its turn.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Sequence
from concurrent.futures import Future
from os import PathLike
from typing import Any, TypeVar, Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Engine, MemoryFigures, ModelDescription
from gemma_chat.errors import ModelClosedError
from gemma_chat.sessions import connecting, loading
from gemma_chat.sessions.chat import Chat as AsyncChat
from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.lock import GenerationLock
from gemma_chat.sessions.metrics import SessionTotals, TurnMetrics
from gemma_chat.sessions.model import InferenceModel as AsyncModel
from gemma_chat.sessions.options import ReplyRules, SessionOptions
from gemma_chat.sessions.session import Message, OverflowListener
from gemma_chat.sessions.session import Session as AsyncSession
from gemma_chat.sessions.tool_policy import DEFAULT_POLICY, ToolPolicy
from gemma_chat.tools.tool import Tool

T = TypeVar("T")

END_SECONDS = 2.0


class LoopThread:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="gemma-chat loop", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop and wait for it; an interrupted wait cancels it.

        Raises `ModelClosedError` when the loop has ended, which it does with its model.
        """
        if self._loop.is_closed():
            work.close()
            raise ModelClosedError("The model has been closed; load it again to ask something.")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, act: Callable[[], T]) -> T:
        """Call `act` on the loop and wait for its answer."""

        async def work() -> T:
            return act()

        return self.run(work())

    def end(self) -> None:
        """Let what is under way come to its end, then stop the loop; twice is fine."""
        if self._loop.is_closed():
            return
        self.run(_let_tasks_end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _let_tasks_end() -> None:
    """Calls of other threads that failed just now still have to hear of it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, late = await asyncio.wait(others, timeout=END_SECONDS)
        for task in late:
            task.cancel()


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


class Session:
    """`gemma_chat.Session` without `await`."""

    def __init__(self, session: AsyncSession, loop: LoopThread) -> None:
        self._session = session
        self._loop = loop

    @property
    def id(self) -> int:
        """Its number, never used again by this model."""
        return self._session.id

    @property
    def background(self) -> bool:
        """Whether its turns run only while no other session waits."""
        return self._session.background

    @property
    def settings(self) -> SessionSettings:
        """What holds for the turns that begin from now on; can be set at any time."""
        return self._session.settings

    @settings.setter
    def settings(self, settings: SessionSettings) -> None:
        self._session.settings = settings

    @property
    def history(self) -> tuple[HistoryMessage, ...]:
        """All whole exchanges, oldest first."""
        return self._session.history

    @property
    def metrics(self) -> TurnMetrics:
        """The figures of the last finished turn."""
        return self._session.metrics

    @property
    def totals(self) -> SessionTotals:
        """The sums over all turns."""
        return self._session.totals

    @property
    def context_used(self) -> int:
        """Tokens of the window this conversation takes."""
        return self._loop.call(lambda: self._session.context_used)

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`; never waits for the lock."""
        return self._session.size_in_tokens(text)

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener`, on the loop's thread, when exchanges are left out."""
        return self._session.subscribe(listener)

    def add_query_chunk(self, chunk: str | Message) -> None:
        """Collect a part of the next question."""
        self._loop.run(self._session.add_query_chunk(chunk))

    def get_response(self, text: str | None = None, **form: Unpack[ReplyRules]) -> str:
        """Ask, and wait for the whole reply; `grammar` or `json_schema` hold for this turn."""
        return self._loop.run(self._session.get_response(text, **form))

    def get_response_async(
        self, text: str | None = None, **form: Unpack[ReplyRules]
    ) -> Generator[Piece, None, None]:
        """Ask, and give the reply in pieces as they become final; giving it up stops the turn."""
        return self._pieces(self._session.get_response_async(text, **form))

    def _pieces(self, stream: AsyncGenerator[Piece, None]) -> Generator[Piece, None, None]:
        try:
            while True:
                piece = self._loop.run(_next_piece(stream))
                if piece is None:
                    return
                yield piece
        finally:
            if not self._session.closed:
                self._loop.run(stream.aclose())

    def stop_generation(self) -> None:
        """End this session's oldest unfinished turn, from another thread or a signal."""
        self._loop.call(self._session.stop_generation)

    def fork(self) -> Session:
        """A session with the same history and settings that shares the evaluated prefix."""
        return Session(self._loop.run(self._session.fork()), self._loop)

    def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; 0 is the empty conversation."""
        self._loop.run(self._session.rewind(turn))

    def close(self) -> None:
        """Stop its turns and give the memory back; twice is fine."""
        if not self._session.closed:
            self._loop.run(self._session.close())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _next_piece(stream: AsyncGenerator[Piece, None]) -> Piece | None:
    return await anext(stream, None)


class Chat(Session):
    """`gemma_chat.Chat` without `await`."""

    def __init__(self, chat: AsyncChat, loop: LoopThread) -> None:
        super().__init__(chat.session, loop)
        self._chat = chat
        self.session = Session(chat.session, loop)
        """The session underneath."""

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges the model no longer sees."""
        return self._session.left_out

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What the model may call in turns that are asked from now on; can be set at any time."""
        return self._chat.tools

    @tools.setter
    def tools(self, tools: Sequence[Tool]) -> None:
        self._chat.tools = tuple(tools)

    def get_response(self, text: str | None = None, **form: Unpack[ReplyRules]) -> str:
        """Ask, carry out what the model calls, and wait for the whole answer."""
        return self._loop.run(self._chat.get_response(text, **form))

    def get_response_async(
        self, text: str | None = None, **form: Unpack[ReplyRules]
    ) -> Generator[Piece, None, None]:
        """Ask, and give the reply, calls and results in pieces; giving it up stops the turn."""
        return self._pieces(self._chat.get_response_async(text, **form))

    def stop_generation(self) -> None:
        """End this chat's oldest unfinished turn and its calls, from another thread or a signal."""
        self._loop.call(self._chat.stop_generation)

    def fork(self) -> Chat:
        """A chat with the same history, settings and tools that shares the evaluated prefix."""
        return Chat(self._loop.run(self._chat.fork()), self._loop)

    def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; 0 is the empty conversation."""
        self._loop.run(self._chat.rewind(turn))

    def close(self) -> None:
        """Stop its turns and calls and give the memory back; twice is fine."""
        if not self._session.closed:
            self._loop.run(self._chat.close())


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
        tool_policy: ToolPolicy = DEFAULT_POLICY,
        **options: Unpack[SessionOptions],
    ) -> Chat:
        """Open a chat that goes on from `history`; see `gemma_chat.InferenceModel.open_chat`."""
        opening = self._model.open_chat(history=history, tool_policy=tool_policy, **options)
        return Chat(self._loop.run(opening), self._loop)

    def create_chat(
        self, *, tool_policy: ToolPolicy = DEFAULT_POLICY, **options: Unpack[SessionOptions]
    ) -> Chat:
        """A chat over the one-lane session."""
        creating = self._model.create_chat(tool_policy=tool_policy, **options)
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
