"""A host that is played by the test: the terminal talks to it through its link."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from textual.theme import Theme

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.settings import Settings
from gemma_chat.errors import HostError
from gemma_chat.host import protocol as p
from gemma_chat.terms import LinkPhase
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.background import Background
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.keymap import Keymap
from gemma_chat.ui.link import EventListener, Inbox, PhaseListener
from gemma_chat.ui.options import AppOptions
from gemma_chat.ui.themes import first_theme, load_themes

if TYPE_CHECKING:
    from gemma_chat.config.library import Library

NOWHERE = Path("no-such-directory")
SHELF = load_themes(NOWHERE)
"""The themes that are on board, read once."""
OWN = 100
ANOTHER = 200
PATIENCE = 60.0
"""Seconds; only a program that hangs takes as long."""
READY = p.ModelView(
    phase="ready",
    name="SmolLM2-135M-Instruct Q4_1",
    path="SmolLM2-135M-Instruct.Q4_1.gguf",
    progress=1.0,
    context_size=8192,
    weights_bytes=98_000_000,
    kv_resident_bytes=23_000_000,
    kv_saved_bytes=4_000_000,
)

RequestT = TypeVar("RequestT", bound=p.Request)


SIZES = ((40, 10), (80, 24), (200, 50))

HOSTILE_TITLES = (
    "\x1b[2J\x1b]0;owned\x07title",
    "\u202egnp.exe\u202c",
    "[bold]not markup[/bold] [/] [",
    "漢字" * 5_000,
    "👩‍👩‍👧‍👦" * 300,
    "a" + "\u0301" * 10_000,
    "line\nbreak\r\ttab\x00nul\x9b31m",
    "\ud800 alone",
    "x" * 10_000,
    "",
)


def tab(session: int, title: str = "", **changes: object) -> p.SessionView:
    """A tab at the place of its number."""
    view = p.SessionView(
        session=session, title=title, settings=SessionSettings(), position=session - 1
    )
    return msgspec.structs.replace(view, **changes)


def message(
    number: int,
    text: str,
    *,
    role: str = "user",
    turn: int = 1,
    state: p.MessageState = "complete",
    branch: tuple[int, int] = (1, 1),
    pinned: bool = False,
) -> p.MessageView:
    """One message of a conversation."""
    assert role in ("user", "assistant")
    return p.MessageView(
        message=number,
        turn=turn,
        role="user" if role == "user" else "assistant",
        text=text,
        state=state,
        created=0.0,
        branch=branch[0],
        branches=branch[1],
        pinned=pinned,
    )


class ScriptedLink:
    """Keeps what was asked, and answers as the host would when all goes well."""

    def __init__(self) -> None:
        self.requests: list[p.Request] = []
        self.stored: dict[int, tuple[p.MessageView, ...]] = {}
        self.refusals: dict[type, str] = {}
        """Requests of these types are answered by `HostError`."""
        self.refuse_sessions: set[int] = set()
        """Messages to these sessions are refused."""
        self.answers: dict[type, p.Reply] = {}
        """What requests of these types are answered."""
        self.held: set[type] = set()
        """Requests of these types are answered only after `release`."""
        self.retries = 0
        self.closed = False
        self._let_go = asyncio.Event()
        self._asked = asyncio.Condition()
        self._on_event: EventListener | None = None
        self._on_phase: PhaseListener | None = None
        self.previews: dict[str, p.Preview] = {}
        self._views: dict[int, p.SessionView] = {}
        self._next_session = 50
        self._next_turn = 10

    # ------------------------------------------------------------ the link

    def listen(self, on_event: EventListener, on_phase: PhaseListener) -> None:
        self._on_event = on_event
        self._on_phase = on_phase

    async def start(self) -> None:
        self.phase("connecting")

    def retry(self) -> None:
        self.retries += 1

    async def close(self) -> None:
        self.closed = True

    async def request(self, request: p.Request) -> p.Reply:
        self.requests.append(request)
        async with self._asked:
            self._asked.notify_all()
        if type(request) in self.held:
            await self._let_go.wait()
        if type(request) in self.refusals:
            raise HostError(self.refusals[type(request)])
        if isinstance(request, p.SendMessage) and request.session in self.refuse_sessions:
            raise HostError(f"refused {request.session}")
        answer = self.answers.get(type(request))
        return self._reply(request) if answer is None else answer

    def _reply(self, request: p.Request) -> p.Reply:
        match request:
            case p.OpenSession():
                self._next_session += 1
                view = tab(self._next_session, request.title, position=len(self._views))
                self.event(p.SessionChanged(view, origin=OWN))
                return p.Opened(0, view.session)
            case p.ReopenSession():
                self.event(p.SessionChanged(tab(request.session, "again"), origin=OWN))
                return p.Opened(0, request.session)
            case p.CloseSession():
                self.event(p.SessionClosed(request.session))
                return p.Done(0)
            case p.ForkFrom():
                self._next_session += 1
                view = tab(self._next_session, "fork", position=len(self._views))
                self.event(p.SessionChanged(view, origin=OWN))
                return p.Opened(0, view.session)
            case p.SendMessage() | p.EditMessage() | p.Regenerate() | p.ContinueReply():
                self._next_turn += 1
                return p.Queued(0, request.session, self._next_turn)
            case p.FetchMessages():
                stored = self.stored.get(request.session, ())
                if request.before:
                    stored = tuple(view for view in stored if view.message < request.before)
                stored = tuple(view for view in stored if view.message >= request.since)
                chosen = stored[-request.limit :]
                return p.Messages(0, request.session, chosen, len(stored) > len(chosen))
            case p.FetchPreview():
                return self.previews.get(request.digest, p.Failed(0, "There is no such picture."))
            case p.MoveTab() | p.PinTab() | p.MarkTab() | p.GroupTabs() | p.RenameGroup():
                self._arrange(request)
                return p.Done(0)
            case p.ChangeSettings():
                view = self._views[request.session]
                self.event(
                    p.SessionChanged(
                        msgspec.structs.replace(view, settings=request.settings), origin=OWN
                    )
                )
                return p.Done(0)
            case _:
                return p.Done(0)

    def _arrange(
        self, request: p.MoveTab | p.PinTab | p.MarkTab | p.GroupTabs | p.RenameGroup
    ) -> None:
        changes: dict[int, dict[str, object]] = {}
        order = sorted(self._views, key=lambda session: self._views[session].position)
        match request:
            case p.MoveTab():
                order.remove(request.session)
                order.insert(request.place, request.session)
            case p.PinTab():
                changes[request.session] = {"pinned": request.pinned}
            case p.MarkTab():
                changes[request.session] = {"mark": request.mark}
            case p.GroupTabs():
                changes = {session: {"group": request.group} for session in request.sessions}
            case p.RenameGroup():
                renamed = [v.session for v in self._views.values() if v.group == request.group]
                changes = {session: {"group": request.name} for session in renamed}
        for session, change in changes.items():
            view = msgspec.structs.replace(self._views[session], **change)
            self.event(p.SessionChanged(view, origin=OWN))
        groups = list(dict.fromkeys(self._views[session].group for session in order))
        order.sort(key=lambda s: (groups.index(self._views[s].group), not self._views[s].pinned))
        self.event(p.TabsArranged(tuple(order)))

    # ------------------------------------------------------------ the test's side

    def event(self, event: p.Event) -> None:
        """The host says this."""
        match event:
            case p.Snapshot():
                self._views = {view.session: view for view in event.sessions}
            case p.SessionChanged():
                self._views[event.view.session] = event.view
            case p.SessionClosed():
                self._views.pop(event.session, None)
        assert self._on_event is not None
        _outside(self._on_event, event)

    def phase(self, phase: LinkPhase, sentence: str = "") -> None:
        """The connection comes or goes."""
        assert self._on_phase is not None
        _outside(self._on_phase, phase, sentence)

    def connect(
        self,
        tabs: Iterable[p.SessionView] = (),
        *,
        lock: p.LockView | None = None,
        model: p.ModelView = READY,
        summarizer: p.SummarizerView | None = None,
        pair: p.TabPair | None = None,
    ) -> None:
        """The host is there and tells the whole state."""
        self.phase("connected")
        self.event(
            p.Snapshot(
                sessions=tuple(tabs),
                lock=lock or p.LockView(),
                model=model,
                summarizer=summarizer or p.SummarizerView(),
                pair=pair,
            )
        )

    def release(self) -> None:
        """Answer what was held back."""
        self._let_go.set()

    async def is_asked(self, kind: type[p.Request]) -> None:
        """Wait until there was a request of this kind."""
        async with asyncio.timeout(PATIENCE), self._asked:
            await self._asked.wait_for(lambda: any(isinstance(r, kind) for r in self.requests))

    def asked(self, kind: type[RequestT]) -> list[RequestT]:
        """The requests of one kind, oldest first."""
        return [request for request in self.requests if isinstance(request, kind)]


def screen_text(app: ChatApp) -> str:
    """Everything on the screen, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def notes(app: ChatApp) -> list[str]:
    """The sentences of the toasts that are shown."""
    return [note.message for note in app._notifications]


def _outside(listener: Callable[..., None], *told: object) -> None:
    """Call it as the link's own task does, which knows nothing of the app."""
    contextvars.Context().run(listener, *told)


def make_app(
    link: ScriptedLink,
    *,
    theme: str = "gemma-dark",
    warnings: tuple[str, ...] = (),
    keep_theme: Callable[[str], None] = lambda name: None,
    keep_setting: Callable[[str, str], None] = lambda key, value: None,
    settings: Settings | None = None,
    folder: Path | None = None,
    sent: SentMessages | None = None,
    servers: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    state_dir: Path = NOWHERE,
    theme_for: Callable[[Background], Theme] | None = None,
) -> ChatApp:
    """The terminal program on a scripted link, with the program's own themes.

    `folder` holds the person's own roles, presets and prompts.
    """

    def keep(key: str, value: str) -> None:
        if key == "terminal.theme":
            keep_theme(value)
        keep_setting(key, value)

    def library() -> Library:
        from gemma_chat.config.library import Library

        return Library(folder)

    settings = settings or Settings(
        mcp_servers=tuple(McpServerSettings(name=name, command="x") for name in servers)
    )
    options = AppOptions(
        own=OWN,
        settings=settings,
        theme=first_theme(theme, NOWHERE, {}).theme,
        theme_for=theme_for,
        shelf=lambda: SHELF,
        warnings=warnings,
        keep_setting=keep,
        keymap=Keymap.of(dict(settings.keys)),
        library=library,
        sent=sent or SentMessages(),
        environment=environment or {"TERM": "xterm-256color"},
        state_dir=lambda: state_dir,
    )
    return ChatApp(link, Inbox(link), options)
