"""A host in the test's own loop, on a real socket, with the scripted engine; and terminals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
from tests.sessions.scripted import ScriptedEngine

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.settings import Settings, SummarizerSettings
from gemma_chat.errors import ModelLoadError
from gemma_chat.host.client import HostClient
from gemma_chat.host.freshness import Freshness
from gemma_chat.host.model_desk import ModelsOf
from gemma_chat.host.protocol import (
    Event,
    FetchMessages,
    LockChanged,
    MessageView,
    ModelChanged,
    OpenSession,
    SendMessage,
    SessionChanged,
    SessionClosed,
    SessionView,
    Snapshot,
    SummarizerChanged,
    TabsArranged,
    TurnFinished,
    TurnText,
)
from gemma_chat.host.server import HostServer
from gemma_chat.host.service import Service
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.store import Store

DEADLINE = 60.0
"""Seconds after which a wait that should have ended counts as a failed test."""

QUIET = Settings(summarizer=SummarizerSettings(enabled=False))
"""Without a summarizer, so that the engine does only what a test asks."""

E = TypeVar("E", bound=msgspec.Struct)


class Terminal:
    """A connected client that remembers every event and knows the newest state."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.tabs: dict[int, SessionView] = {}
        self.aside: set[int] = set()
        """Sessions without a tab, whose events a terminal has no use for."""
        self.client: HostClient
        self._freshness = Freshness()
        self._changed = asyncio.Event()

    @classmethod
    async def connect(cls, socket: Path) -> Terminal:
        terminal = cls()
        terminal.client = await HostClient.connect(socket, listener=terminal._listen)
        await terminal.seen(Snapshot)
        return terminal

    def _listen(self, event: Event) -> None:
        if getattr(event, "session", 0) in self.aside:
            self._changed.set()
            return
        assert self._freshness.admits(event), f"out of date: {event}"
        self.events.append(event)
        match event:
            case Snapshot():
                self.tabs = {view.session: view for view in event.sessions}
            case SessionChanged():
                self.tabs[event.view.session] = event.view
            case SessionClosed():
                del self.tabs[event.session]
            case TabsArranged():
                for place, session in enumerate(event.sessions):
                    view = self.tabs[session]
                    self.tabs[session] = msgspec.structs.replace(view, position=place)
        self._changed.set()

    async def seen(self, kind: type[E], matches: Callable[[E], bool] = lambda _: True) -> E:
        """Wait for an event, or find one that came before; returns the newest."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for event in reversed(self.events):
                    if isinstance(event, kind) and matches(event):
                        return event
                self._changed.clear()
                await self._changed.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, looked at after every event."""
        async with asyncio.timeout(DEADLINE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def open(self, title: str = "", system: str = "") -> int:
        settings = SessionSettings(system_instruction=system) if system else None
        return (await self.client.request(OpenSession(0, title, settings))).session

    async def send(self, session: int, text: str) -> int:
        return (await self.client.request(SendMessage(0, session, text))).turn

    async def finished(self, session: int, turn: int) -> TurnFinished:
        return await self.seen(
            TurnFinished, lambda event: (event.session, event.turn) == (session, turn)
        )

    async def ask(self, session: int, text: str) -> TurnFinished:
        return await self.finished(session, await self.send(session, text))

    async def transcript(self, session: int) -> list[MessageView]:
        return list((await self.client.request(FetchMessages(0, session))).messages)

    async def said(self, session: int) -> list[tuple[str, str, str]]:
        """Role, text and state of every message."""
        return [(one.role, one.text, one.state) for one in await self.transcript(session)]

    def heard(self, session: int, turn: int) -> str:
        """The text of a reply as it came in events."""
        pieces = [
            event
            for event in self.events
            if isinstance(event, TurnText) and (event.session, event.turn) == (session, turn)
        ]
        text = ""
        for piece in pieces:
            assert piece.offset == len(text)
            text += piece.text
        return text

    async def order(self, *expected: tuple[int, int]) -> LockChanged:
        """Wait until the lock shows these (session, turn), the holder first, (0, 0) for nobody."""

        def matches(event: LockChanged) -> bool:
            holder = event.lock.holder
            first = (0, 0) if holder is None else (holder.session, holder.turn)
            waiting = [(one.session, one.turn) for one in event.lock.waiting]
            return [first, *waiting] == list(expected)

        return await self.seen(LockChanged, matches)

    async def model(self, phase: str) -> ModelChanged:
        return await self.seen(ModelChanged, lambda event: event.model.phase == phase)

    async def summarizer(self, matches: Callable[[SummarizerChanged], bool]) -> SummarizerChanged:
        return await self.seen(SummarizerChanged, matches)

    async def close(self) -> None:
        await self.client.close()


@dataclass
class Rig:
    """A running host. The model "N.gguf" is engine N; one that is an error cannot be loaded.

    An engine that was closed is followed by a fresh one.
    """

    folder: Path
    settings: Settings = QUIET
    engines: list[ScriptedEngine | Exception] = field(default_factory=list)
    loading: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear it to hold the loading of models."""
    terminals: list[Terminal] = field(default_factory=list)
    news: tuple[str, ...] = ()
    models: ModelsOf | None = None
    stopped: bool = False
    _clients_changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.loading.set()
        self.socket = self.folder / "host.sock"
        self.store = Store.open(self.folder / "conversations.db")
        self.server = HostServer(self.socket, program="test", on_clients=self._note_clients)
        self.service = Service(
            self.store,
            lambda: self.settings,
            self._load,
            self.server.publish,
            program="test",
            on_stop=self._note_stop,
            on_turns=lambda: None,
            clients=lambda: self.server.clients,
            news=self.news,
            models=self.models,
        )

    @property
    def engine(self) -> ScriptedEngine:
        """The first engine."""
        engine = self.engines[0]
        assert isinstance(engine, ScriptedEngine)
        return engine

    async def connect(self) -> Terminal:
        terminal = await Terminal.connect(self.socket)
        self.terminals.append(terminal)
        return terminal

    async def clients(self, count: int) -> None:
        """Wait until so many clients are connected."""
        async with asyncio.timeout(DEADLINE):
            while self.server.clients != count:
                self._clients_changed.clear()
                await self._clients_changed.wait()

    def _note_clients(self) -> None:
        self._clients_changed.set()

    def _note_stop(self) -> None:
        self.stopped = True

    async def _load(self, path: Path, progress: Callable[[float], None]) -> InferenceModel:
        progress(0.25)
        await self.loading.wait()
        number = int(path.stem)
        if number >= len(self.engines):
            raise ModelLoadError(f"There is no {path}.")
        engine = self.engines[number]
        if isinstance(engine, Exception):
            raise engine
        if engine.closed:
            engine = self.engines[number] = ScriptedEngine()
        return InferenceModel(engine)


@asynccontextmanager
async def running(
    folder: Path,
    *engines: ScriptedEngine | Exception,
    settings: Settings = QUIET,
    load: bool = True,
    news: tuple[str, ...] = (),
    models: ModelsOf | None = None,
) -> AsyncIterator[Rig]:
    """A host on the database in `folder`; engine 0 is loaded unless told otherwise."""
    rig = Rig(folder, settings, list(engines) or [ScriptedEngine()], news=news, models=models)
    await rig.server.start(rig.service)
    if load:
        rig.service.load(Path("/models/0.gguf"))
    try:
        yield rig
    finally:
        for engine in rig.engines:
            if isinstance(engine, ScriptedEngine):
                engine.gate.open()
        for terminal in rig.terminals:
            await terminal.close()
        await rig.service.close()
        await rig.server.close("the test is over")
        rig.store.close()
    for engine in rig.engines:
        if isinstance(engine, ScriptedEngine):
            assert engine.violations == []
