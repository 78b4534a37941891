"""The host's parts put together: what each request does, and what everybody is told."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from gemma_chat.config.settings import Settings
from gemma_chat.errors import GemmaChatError
from gemma_chat.host.branching import Branching, BranchRequest
from gemma_chat.host.conversations import Conversations
from gemma_chat.host.crashes import Crashes
from gemma_chat.host.current_settings import CurrentSettings
from gemma_chat.host.drafts import Drafts
from gemma_chat.host.library import backed_up, fetched, imported, listed, searched
from gemma_chat.host.lock_board import LockBoard
from gemma_chat.host.model_desk import ModelDesk, ModelsOf
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.model_source import ModelLoader, ModelSource
from gemma_chat.host.protocol import (
    BackUp,
    ChangeDownload,
    ChangeQueue,
    ContinueReply,
    DeleteConversations,
    DeleteMessage,
    DescribeModel,
    Done,
    EditMessage,
    Event,
    Failed,
    FetchConversation,
    FetchPreview,
    ForkFrom,
    GetStatus,
    Goodbye,
    GroupTabs,
    ImportConversation,
    ListConversations,
    ListModels,
    LoadModel,
    LookAtTab,
    MarkTab,
    ModelChanged,
    MoveTab,
    Notice,
    Opened,
    PairTabs,
    PinMessage,
    PinTab,
    Regenerate,
    RemoveModel,
    RenameGroup,
    ReorderQueue,
    Reply,
    Request,
    SearchMessages,
    SelectBranch,
    SetSummarizer,
    StartDownload,
    Status,
    StopHost,
    SummarizerChanged,
)
from gemma_chat.host.snapshots import snapshot_events
from gemma_chat.host.summaries import Summaries
from gemma_chat.host.tab_bar import TabBar
from gemma_chat.host.tab_desk import TabDesk
from gemma_chat.host.tab_tools import TabTools
from gemma_chat.host.throttle import Throttle
from gemma_chat.host.turn_record import Outcome
from gemma_chat.host.uploads import preview
from gemma_chat.sessions.events import LockEntry, LockEvent
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.store import Store

PROGRESS_SECONDS: Final = 0.1
"""Progress of loading, and other changes of the model, are told at most this often."""
FIGURES_SECONDS: Final = 2.0
"""Memory figures are looked at this often, at most, while turns end."""

_log = logging.getLogger(__name__)

_LibraryRequest = (
    ListConversations
    | FetchConversation
    | SearchMessages
    | DeleteConversations
    | ImportConversation
    | BackUp
)


class Service:
    """Answers requests on one store and one model. Everything happens on one event loop."""

    def __init__(
        self,
        store: Store,
        read_settings: Callable[[], Settings],
        load_model: ModelLoader,
        publish: Callable[[Event], None],
        *,
        program: str,
        on_stop: Callable[[], None],
        on_turns: Callable[[], None],
        clients: Callable[[], int],
        news: Sequence[str] = (),
        models: ModelsOf | None = None,
    ) -> None:
        """Bring back the tabs of `store`; `load` brings a model. May raise `SettingsError`.

        `publish` tells all clients, `on_stop` is called when one asks the host to leave,
        `on_turns` when a turn is new or has ended, and `clients` counts the connected ones. The
        first client is told the `news`. Without `models` nothing is known of model files.
        """
        self._store = store
        self._settings = CurrentSettings(
            read_settings,
            lambda: self._slot.view.recommended,
            lambda sentence: publish(Notice("warning", sentence)),
        )
        self._publish = publish
        self._program = program
        self._on_stop = on_stop
        self._on_turns = on_turns
        self._clients = clients
        self._news = list(news)
        self._started = time.time()
        self._model: InferenceModel | None = None
        self._leave_lock: Callable[[], None] = _nothing
        self._tell_model = Throttle(PROGRESS_SECONDS, self._publish_model)
        self._phase = ""
        self._stays = False
        self._closing = False
        crashes = Crashes(store)
        self._news += crashes.news
        self._slot = ModelSlot(
            crashes.watched(load_model), self._model_changed, warn=self._warn_all
        )
        self._models = ModelDesk(self._slot, publish, models, on_busy=on_turns)
        self._measure = Throttle(FIGURES_SECONDS, self._slot.measure)
        self._unmeasured = self._settle_what_was_left()
        """Tabs that may hold more than was noted of them when they were used last."""
        self._drafts = Drafts(store)
        self._tools = TabTools(store, self._settings.read_servers, self._warn)
        self._conversations = Conversations(
            store,
            self._slot,
            publish,
            self._tools,
            crashes,
            on_turns=self._turns_changed,
            on_finished=self._finished,
        )
        self._branching = Branching(
            store,
            self._conversations,
            publish,
            on_others_shown=lambda session, outdated: self._summaries.begin_again(
                session, outdated=outdated
            ),
        )
        self._tab_bar = TabBar(store, self._conversations.tabs)
        self._board = LockBoard(
            publish,
            lambda: self._conversations.turns.all,
            self._conversations.tabs.title,
            self._tab_of,
        )
        self._summaries = Summaries(
            store,
            self._settings.known.summarizer,
            on_view=lambda view: publish(SummarizerChanged(view)),
            on_result=self._summarized,
        )
        self._tabs = TabDesk(
            store,
            self._conversations,
            self._drafts,
            self._summaries,
            self._board,
            self._settings,
        )

    @property
    def busy(self) -> bool:
        """Whether a turn runs or waits, or a download runs."""
        return bool(self._conversations.turns.all) or self._models.busy

    @property
    def needed(self) -> bool:
        """Whether to stay with nobody attached: it is busy, or somebody has detached."""
        return self.busy or self._stays

    def load(self, source: ModelSource) -> None:
        """Load the model of `source` in the background; its view tells how it goes."""
        self._slot.load(source)

    def take_up_downloads(self) -> None:
        """Go on with what was being downloaded when the host before this one ended."""
        self._models.take_up()

    def snapshot(self) -> Iterator[Event]:
        """The events that tell a client the whole state."""
        yield from snapshot_events(
            self._conversations.tabs.views(),
            self._board.view(),
            self._slot.view,
            self._summaries.view,
            self._models.downloads,
            self._tab_bar.pair,
        )
        while self._news:
            yield Notice("warning", self._news.pop(0))

    async def answer(self, request: Request, asker: int) -> Reply:
        """Carry `request` out for the client with pid `asker`; an error becomes `Failed`."""
        if self._closing:
            return Failed(request.id, "The host is leaving; ask again in a moment.")
        try:
            return await self._carry_out(request, asker)
        except GemmaChatError as error:
            return Failed(request.id, str(error))

    async def left(self, client: int) -> None:
        """A client has gone, and what it opened in passing goes with it; its drafts stay."""
        self._drafts.leave(client)
        try:
            await self._tabs.delete(self._conversations.tabs.passing(client))
        except GemmaChatError as error:
            _log.error("what client %d left behind: %s", client, error)

    async def close(self) -> None:
        """End all turns and write down what they have, then free the model."""
        self._closing = True
        await self._summaries.close()
        await self._models.close()
        await self._conversations.end_all()
        await self._tools.close()
        self._leave_lock()
        await self._slot.close()
        # The end of the model is a change, too.
        self._board.close()
        for throttle in (self._tell_model, self._measure):
            throttle.cancel()

    # ------------------------------------------------------------ requests

    async def _carry_out(self, request: Request, asker: int) -> Reply:
        match request:
            case FetchPreview():
                data = self._store.file_of(request.digest)
                sides = (request.width, request.height)
                return await asyncio.to_thread(preview, request.id, request.digest, data, sides)
            case GetStatus():
                return self._status(request.id)
            case (
                EditMessage()
                | Regenerate()
                | ContinueReply()
                | SelectBranch()
                | DeleteMessage()
                | ForkFrom()
                | PinMessage()
                | ReorderQueue()
            ):
                reply = await self._branching.answer(request, asker)
                self._follow_change(request, reply)
                return reply
            case (
                MoveTab()
                | PinTab()
                | MarkTab()
                | GroupTabs()
                | RenameGroup()
                | LookAtTab()
                | PairTabs()
            ):
                return self._tab_bar.answer(request, asker)
            case LoadModel():
                await self._models.load(request, lambda: self._conversations.turns.under_way)
            case (
                ListModels() | DescribeModel() | StartDownload() | ChangeDownload() | RemoveModel()
            ):
                return await self._models.answer(request)
            case SetSummarizer():
                self._summaries.set_paused(paused=request.paused)
            case StopHost():
                self._on_stop()
            case ChangeQueue():
                self._board.change(request)
            case Goodbye():
                self._part(request)
            case (
                ListConversations()
                | FetchConversation()
                | SearchMessages()
                | DeleteConversations()
                | ImportConversation()
                | BackUp()
            ):
                return await self._answer_from_library(request)
            case _:
                return await self._tabs.answer(request, asker)
        return Done(request.id)

    def _follow_change(self, request: BranchRequest, reply: Reply) -> None:
        """Other messages are shown, or pinned: let the context follow."""
        match request:
            case PinMessage():
                self._tabs.warm_up(request.session)
            case SelectBranch() | DeleteMessage():
                self._conversations.idle_work.measure(request.session)
            case ForkFrom() if isinstance(reply, Opened):
                self._conversations.idle_work.measure(reply.session)

    async def _answer_from_library(self, request: _LibraryRequest) -> Reply:
        match request:
            case ListConversations():
                return listed(self._store, request)
            case FetchConversation():
                return fetched(self._store, request)
            case SearchMessages():
                return searched(self._store, request)
            case ImportConversation():
                return imported(self._store, request)
            case DeleteConversations():
                await self._tabs.delete(request.sessions)
            case BackUp():
                await backed_up(self._store, request)
        return Done(request.id)

    def _part(self, request: Goodbye) -> None:
        if request.host == "stays":
            self._stays = True
        elif self._clients() <= 1:
            self._stays = False

    def _warn(self, session: int, sentence: str) -> None:
        self._publish(Notice("warning", sentence, session))

    def _warn_all(self, sentence: str) -> None:
        self._publish(Notice("error", sentence))

    def _tab_of(self, entry: LockEntry) -> int:
        """The tab that computes, or the one a summary is being written of."""
        return self._conversations.chats.tab_of(entry.session) or self._summaries.view.session

    def _follow_recommendation(self) -> None:
        """Tabs that were opened before the model was loaded, and not used, begin as it is meant."""
        before, after = self._settings.known.defaults, self._settings.defaults
        for view in self._conversations.tabs.views():
            if view.turn == 0 and view.settings == before != after:
                self._conversations.set_settings(view.session, after)
                self._conversations.tabs.tell(view.session)

    def _status(self, number: int) -> Status:
        self._slot.measure()
        return Status(
            id=number,
            pid=os.getpid(),
            program=self._program,
            started=self._started,
            clients=self._clients() - 1,
            sessions=self._conversations.tabs.count,
            model=self._slot.view,
            lock=self._board.view(),
            summarizer=self._summaries.view,
            stays=self._stays,
        )

    # ------------------------------------------------------------ what happens by itself

    def _settle_what_was_left(self) -> set[int]:
        """Bring what an earlier host left behind to an end; the conversations that it touched."""
        if passing := self._store.library.forget_passing():
            _log.info("%d conversations in passing were left behind and are deleted", passing)
        interrupted = self._store.mark_interrupted()
        for message in interrupted:
            _log.info("message %d of %d was interrupted", message.message, message.session)
        return {message.session for message in interrupted}

    def _model_changed(self) -> None:
        if self._slot.view.phase != self._phase:
            self._phase = self._slot.view.phase
            self._tell_model.now()
        else:
            self._tell_model.soon()
        if self._slot.model is not self._model:
            self._watch(self._slot.model)

    def _watch(self, model: InferenceModel | None) -> None:
        self._leave_lock()
        self._leave_lock = _nothing if model is None else model.lock.subscribe(self._lock_changed)
        self._model = model
        self._board.watch(None if model is None else model.lock)
        self._summaries.use(model)
        if model is not None:
            self._follow_recommendation()
            self._measure_contexts()

    def _measure_contexts(self) -> None:
        """Find out of tabs whose last turn had no end how much of the context they take."""
        for view in self._conversations.tabs.views():
            unknown = view.message_count and not view.context_used
            if unknown or view.session in self._unmeasured:
                self._conversations.idle_work.measure(view.session)
        self._unmeasured.clear()

    def _publish_model(self) -> None:
        self._publish(ModelChanged(self._slot.view))

    def _lock_changed(self, event: LockEvent) -> None:
        if event.entry.phase in ("prefill", "generating"):
            self._conversations.asking.begun((event.entry.session, event.entry.turn))
        self._board.changed()

    def _turns_changed(self) -> None:
        if not self._conversations.turns.under_way:
            self._slot.proceed()
        self._board.changed()
        self._on_turns()

    def _finished(self, session: int, outcome: Outcome) -> None:
        self._measure.soon()
        if outcome.reason in ("stop", "length") and self._conversations.tabs.is_shown(session):
            self._summaries.schedule(session)
        if outcome.kept and not self._summaries.will_write(session):
            self._tabs.make_room(session)

    def _summarized(self, session: int) -> None:
        self._tabs.make_room(session)
        self._conversations.tabs.tell(session)
        self._board.changed()


def _nothing() -> None:
    """What leaving the lock of no model does."""
