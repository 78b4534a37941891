"""The chats of the open tabs, and the line in which they come before the model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from gemma_chat.engine.interface import ToolCall
from gemma_chat.errors import HostError, StoreError
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.open_tabs import OpenTabs
from gemma_chat.host.protocol import Notice
from gemma_chat.host.replacing import overflow_notice
from gemma_chat.host.tab_chat import TabChat
from gemma_chat.host.tab_tools import TabTools
from gemma_chat.host.turn_record import TurnRecord
from gemma_chat.host.unfinished_turns import UnfinishedTurns
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.context_view import ContextView
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.store import Store
from gemma_chat.tools.tool import Tool

_log = logging.getLogger(__name__)


class TabChats:
    """Has a chat for each open tab that was ever worked on."""

    def __init__(
        self,
        store: Store,
        slot: ModelSlot,
        tabs: OpenTabs,
        turns: UnfinishedTurns,
        tools: TabTools,
        permit: Callable[[int, ToolCall], Awaitable[bool]],
    ) -> None:
        """`permit` says whether a call of a tab's model may be carried out."""
        self._store = store
        self._slot = slot
        self._tabs = tabs
        self._turns = turns
        self._tools = tools
        self._permit = permit
        self._chats: dict[int, TabChat] = {}
        # Turns enter the model's queue in the order in which they were asked.
        self._line = asyncio.Lock()

    def of(self, session: int) -> TabChat:
        """The chat of a tab; raises `HostError` when that is closed."""
        tab_chat = self._chats.get(session)
        if tab_chat is None:
            self._tabs.must_be_open(session)
            tab_chat = self._chats[session] = TabChat(
                session,
                self._store,
                partial(self._permit, session),
                partial(self._tell_overflow, session),
            )
        return tab_chat

    def take_out(self, session: int) -> TabChat | None:
        """The tab is closed: its chat, which is not one of these from now on."""
        return self._chats.pop(session, None)

    def tab_of(self, engine_session: int) -> int:
        """The tab whose chat computes in this session of the model; 0 when it is none."""
        for session, tab_chat in self._chats.items():
            if tab_chat.computes_in(engine_session, self._slot.model):
                return session
        return 0

    @asynccontextmanager
    async def in_line(
        self, tab_chat: TabChat, model: InferenceModel | None = None
    ) -> AsyncIterator[tuple[Chat, InferenceModel]]:
        """A chat that is ready to be asked on `model`, or on the one that is awaited.

        While the block runs no other chat is made ready.
        """
        # Before it is in line: others do not wait for the servers of this tab.
        tools = await self._tools_of(tab_chat.session)
        async with self._line:
            ready = await self._slot.ready() if model is None else model
            self._must_still_be_open(tab_chat)
            chat = await tab_chat.on(ready)
            chat.tools = tools
            yield chat, ready

    async def ready(self, tab_chat: TabChat, model: InferenceModel) -> Chat:
        """A chat as the next turn would find it."""
        async with self.in_line(tab_chat, model) as (chat, _):
            return chat

    async def context(self, session: int) -> ContextView:
        """What the model sees of a tab; raises `HostError` when there is no model."""
        tab_chat = self.of(session)
        model = self._slot.model
        if model is None:
            raise HostError("There is no model to show the context of; load one first.")
        if self._slot.view.next:
            # A question may be in line already, and waits for that model.
            raise HostError(
                f"{self._slot.view.next} is about to be loaded; look at the context then."
            )
        chat = await self.ready(tab_chat, model)
        return await asyncio.to_thread(chat.context)

    def pins_changed(self, session: int) -> None:
        """Messages of a tab were pinned, unpinned or taken out: its chat follows without turns."""
        self.of(session).take_pins(has_turns=bool(self._turns.of(session)))

    def turn_ended(self, record: TurnRecord, *, kept: bool) -> None:
        """A turn of an open tab has ended; `kept` when it is part of later contexts.

        Raises `StoreError`.
        """
        tab_chat = self.of(record.session)
        if kept and tab_chat.chat is not None:
            if record.kind != "go_on":
                tab_chat.add_exchange(record.reply[0])
            tab_chat.keep_replacement()
        if not self._turns.of(record.session):
            tab_chat.turns_ended()

    def _must_still_be_open(self, tab_chat: TabChat) -> None:
        """Nothing is begun for a tab that was closed meanwhile: nobody would end it."""
        session = tab_chat.session
        if not self._tabs.is_open(session):
            self._tools.forget(session)
        if self._chats.get(session) is not tab_chat:
            raise HostError(f"Tab {session} was closed meanwhile.")

    async def _tools_of(self, session: int) -> tuple[Tool, ...]:
        settings = self._store.conversation(session).settings.tools
        return await self._tools.of(session, settings)

    def _tell_overflow(self, session: int, dropped: TurnsDropped) -> None:
        if notice := overflow_notice(dropped):
            self._tabs.publish(session, Notice("information", notice, session))
        tab_chat = self._chats.get(session)
        if dropped.turn or tab_chat is None or tab_chat.chat is None:
            return
        try:
            tab_chat.keep_replacement()
            self._store.set_context_used(session, tab_chat.chat.context_used)
            self._tabs.tell(session)
        except StoreError as error:
            _log.error("what is replaced in conversation %d: %s", session, error)
