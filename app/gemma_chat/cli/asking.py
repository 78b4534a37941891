"""One question on its way: to the running host, or to a model that is loaded for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gemma_chat.cli.ask_options import AskSettings
from gemma_chat.cli.ask_output import AskOutput, UnwritableError
from gemma_chat.cli.ending import whole
from gemma_chat.cli.naming import conversation_named
from gemma_chat.cli.output import forget_stdout, one_line
from gemma_chat.cli.silence import say_silence
from gemma_chat.cli.waiting import when_free
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings, load_settings
from gemma_chat.errors import GemmaChatError, HostError, ModelLoadError
from gemma_chat.host.client import HostAbsentError, HostClient
from gemma_chat.host.protocol import (
    AsideChanged,
    ChangeSettings,
    CloseSession,
    Event,
    FetchConversation,
    GetStatus,
    LockChanged,
    ModelChanged,
    ModelView,
    Notice,
    OpenSession,
    ReopenSession,
    SendMessage,
    SessionChanged,
    StopTurn,
    TurnFinished,
    TurnText,
    Upload,
)
from gemma_chat.host.requests import Requester
from gemma_chat.host.status import connect_to_running

CUT_SHORT = 4
_STOPPING_SECONDS = 5.0


class ReaderGone(Exception):
    """Whoever reads stdout has closed it."""


class NobodyAllowsError(HostError):
    """The model wants to call a tool, and there is nobody to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What the command line asks for."""

    paths: Paths
    model: Path | None
    server: str
    server_model: str
    question: str
    uploads: tuple[Upload, ...] = ()
    settings: AskSettings
    conversation: str
    keep: bool
    as_json: bool
    stream: bool

    async def run(self) -> int:
        """Ask and write the reply; returns the exit code.

        Raises `GemmaChatError` when there is no reply, and `ReaderGone`. When it is cancelled, the
        turn is stopped first, and what there is of the reply is kept where it is to be kept.
        """
        known = load_settings(self.paths)
        output = AskOutput(as_json=self.as_json, stream=self.stream)
        events: asyncio.Queue[Event | GemmaChatError] = asyncio.Queue()
        with output:
            async with self._somebody(known, events) as requester:
                patience = partial(_patience, requester)
                session, was_closed = await whole(self._session(requester, known), patience)
                try:
                    output.session(session)
                    return await self._ask(requester, session, events, output)
                except BrokenPipeError:
                    forget_stdout()
                    raise ReaderGone from None
                finally:
                    if was_closed:
                        await whole(_close(requester, session), patience)

    # ------------------------------------------------------------ whom to ask

    @contextlib.asynccontextmanager
    async def _somebody(
        self, known: Settings, events: asyncio.Queue[Event | GemmaChatError]
    ) -> AsyncIterator[Requester]:
        async with contextlib.AsyncExitStack() as stack:
            yield await when_free(self.paths, partial(self._entered, stack, known, events))

    async def _entered(
        self,
        stack: contextlib.AsyncExitStack,
        known: Settings,
        events: asyncio.Queue[Event | GemmaChatError],
    ) -> Requester:
        """The host that runs, or what stands in for it here, left with `stack`.

        Raises `AlreadyRunningError` while another command has the conversations.
        """
        with contextlib.suppress(HostAbsentError):
            client = await connect_to_running(self.paths, listener=events.put_nowait)
            client.silence.listen(partial(say_silence, client.welcome.pid))
            if await self._suits(client):
                stack.push_async_callback(client.close)
                stack.callback(asyncio.create_task(_tell_end(client, events)).cancel)
                # Between an answer and the next word of a reply, too.
                stack.enter_context(client.silence.awaiting())
                return client
            await client.close()
        # Heavy with the sessions and the store, and not needed when a host runs.
        from gemma_chat.host.local import local_host
        from gemma_chat.host.model_source import chosen_source

        given = "" if self.model is None else str(self.model.expanduser().absolute())
        source = chosen_source(
            self.paths, known, model=given, server=self.server, server_model=self.server_model
        )
        if source is None:
            raise ModelLoadError(
                "There is no model to ask. Name a GGUF file with `gemma-chat -m FILE ask`, or get "
                "one with `gemma-chat models get`."
            )
        return await stack.enter_async_context(
            local_host(
                self.paths,
                listener=events.put_nowait,
                model=source,
                stored=bool(self.conversation or self.keep),
            )
        )

    async def _suits(self, client: HostClient) -> bool:
        """Whether the running host has the model that is wanted; else one is loaded here."""
        if self.model is None and not self.server:
            return True
        loaded = (await client.request(GetStatus(0))).model
        if self.model is not None and Path(loaded.path) == self.model.expanduser().absolute():
            return True
        if self.server and self._is_server_of(loaded):
            return True
        if self.conversation or self.keep:
            raise HostError(
                f"The running host has another model loaded ({loaded.name or 'none'}), and "
                "conversations belong to it. Leave -m and --server away, or end it with "
                "`gemma-chat host stop`."
            )
        return False

    def _is_server_of(self, loaded: ModelView) -> bool:
        from gemma_chat.remote.address import ServerAddress

        return (
            bool(loaded.server)
            and ServerAddress.parse(loaded.server) == ServerAddress.parse(self.server)
            and self.server_model in ("", loaded.name)
        )

    # ------------------------------------------------------------ where to ask

    async def _session(self, requester: Requester, known: Settings) -> tuple[int, bool]:
        """The session to ask in, and whether it is to be closed afterwards."""
        if not self.conversation:
            settings = self.settings.applied_to(known.defaults, known)
            title = " ".join(self.question.split())[:60] if self.keep else "ask"
            place = OpenSession(0, title, settings, "aside" if self.keep else "passing")
            return (await requester.request(place)).session, True
        meant = await conversation_named(requester, self.conversation)
        if self.settings.given:
            there = await requester.request(FetchConversation(0, meant.session))
            settings = self.settings.applied_to(there.settings, known)
        await requester.request(ReopenSession(0, meant.session))
        if self.settings.given:
            await requester.request(ChangeSettings(0, meant.session, settings))
        return meant.session, not meant.open

    # ------------------------------------------------------------ the reply

    async def _ask(
        self,
        requester: Requester,
        session: int,
        events: asyncio.Queue[Event | GemmaChatError],
        output: AskOutput,
    ) -> int:
        request = SendMessage(0, session, self.question, attachments=self.uploads)
        patience = partial(_patience, requester)
        turn = (await whole(requester.request(request), patience)).turn
        try:
            others = isinstance(requester, HostClient)
            code = await _follow(session, turn, events, output, others=others)
            if self.settings.wants_thinking:
                await _tell_whether_it_thinks(requester, output)
            return code
        except (asyncio.CancelledError, BrokenPipeError, UnwritableError, NobodyAllowsError):
            if not output.has_ended:
                await whole(_stop(requester, session, turn, events), patience)
            raise


async def _follow(
    session: int,
    turn: int,
    events: asyncio.Queue[Event | GemmaChatError],
    output: AskOutput,
    *,
    others: bool,
) -> int:
    """Write the reply as it comes; returns the exit code.

    Whether a tool may be called is asked in the tab of the conversation, where `others` can answer.
    """
    told = 0
    while True:
        event = await events.get()
        match event:
            case GemmaChatError():
                output.cut_off(event)
                raise event
            case TurnText() if event.session == session and event.turn == turn:
                output.text(event.text)
            case AsideChanged() if event.session == session and event.turn == turn:
                output.aside(event.place, event.aside)
            case TurnFinished() if event.session == session and event.turn == turn:
                output.finished(event)
                if event.error or event.reason in ("failed", "closed"):
                    raise HostError(event.error or "The host left before the reply was whole.")
                return CUT_SHORT if event.reason == "length" else 0
            case SessionChanged() if event.view.session == session and event.view.asking:
                question = event.view.asking[0]
                if not others:
                    raise NobodyAllowsError(
                        f"The model wants to call {one_line(question.name)}, and nobody can allow "
                        "that here. Allow it always in the tab of the conversation (`gemma-chat`, "
                        "alt+k), or turn the tool off there (f3)."
                    )
                if question.question > told:
                    told = question.question
                    output.notice(
                        f"The model wants to call {one_line(question.name)}, and waits until that "
                        "is answered in the tab of the conversation (`gemma-chat attach`)."
                    )
            case ModelChanged():
                output.loading(event.model)
            case LockChanged():
                output.waiting(event.lock, session)
            case Notice() if event.session in (0, session):
                output.notice(event.text)


async def _tell_whether_it_thinks(requester: Requester, output: AskOutput) -> None:
    """Say so when the model could not do what was asked of it: its reply does not show that."""
    model = (await requester.request(GetStatus(0))).model
    if not model.thinks:
        output.notice(
            f"{model.name} cannot be told to think, and answered without. Models with a switch "
            "for it are Gemma 4 and Qwen 3."
        )


def _patience(requester: Requester) -> float:
    """Seconds that are waited for what is taken back: none for a host that does not answer."""
    is_silent = isinstance(requester, HostClient) and requester.silence.is_silent
    return 0.0 if is_silent else _STOPPING_SECONDS


async def _stop(
    requester: Requester,
    session: int,
    turn: int,
    events: asyncio.Queue[Event | GemmaChatError],
) -> None:
    """End the turn, waiting or running, so that the host does not work for nobody."""
    with contextlib.suppress(GemmaChatError, TimeoutError):
        async with asyncio.timeout(_patience(requester)):
            await requester.request(StopTurn(0, session, turn))
            await _ended(session, turn, events)


async def _close(requester: Requester, session: int) -> None:
    """Close a session that was opened for this question."""
    with contextlib.suppress(GemmaChatError, TimeoutError):
        async with asyncio.timeout(_patience(requester)):
            await requester.request(CloseSession(0, session))


async def _ended(session: int, turn: int, events: asyncio.Queue[Event | GemmaChatError]) -> None:
    while True:
        event = await events.get()
        if isinstance(event, GemmaChatError):
            return
        if isinstance(event, TurnFinished) and (event.session, event.turn) == (session, turn):
            return


async def _tell_end(client: HostClient, events: asyncio.Queue[Event | GemmaChatError]) -> None:
    events.put_nowait(await client.ended())
