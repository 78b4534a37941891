"""What is done on the chats of tabs that have no turns, so that the next turn is quicker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gemma_chat.errors import GemmaChatError
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.open_tabs import OpenTabs
from gemma_chat.host.tab_chat import TabChat
from gemma_chat.host.tab_chats import TabChats
from gemma_chat.host.unfinished_turns import UnfinishedTurns
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.store.store import Store

_log = logging.getLogger(__name__)


class IdleWork:
    """Warms up tabs, measures them and makes room in them, in the background.

    Without a model, or while a tab has turns, nothing happens: those do the same by themselves.
    """

    def __init__(
        self,
        store: Store,
        slot: ModelSlot,
        tabs: OpenTabs,
        turns: UnfinishedTurns,
        chats: TabChats,
    ) -> None:
        self._store = store
        self._slot = slot
        self._tabs = tabs
        self._turns = turns
        self._chats = chats
        self._running: set[asyncio.Task[None]] = set()

    def warm_up(self, session: int, draft: str = "") -> None:
        """Evaluate, while nobody waits, what the next turn of a tab begins with."""

        async def begin(chat: Chat) -> None:
            chat.warm_up(draft)

        self._begin(session, begin)

    def measure(self, session: int) -> None:
        """Find out how much of the context a tab takes that was forked, imported or cut."""

        async def measure(chat: Chat) -> None:
            await asyncio.to_thread(lambda: chat.context_used)
            if self._tabs.is_open(session) and not self._turns.of(session):
                # Known by now, also when a turn has come and gone while it was counted.
                self._store.set_context_used(session, chat.context_used)
                self._tabs.tell(session)

        self._begin(session, measure)

    def make_room(self, session: int) -> None:
        """Prepare for a full context while nobody waits, with the summary as it is now."""
        self._begin(session, lambda chat: chat.make_room())

    def _begin(self, session: int, work: Callable[[Chat], Awaitable[object]]) -> None:
        model = self._slot.model
        if model is None or self._turns.of(session) or not self._tabs.is_open(session):
            return
        task = asyncio.create_task(
            self._run(self._chats.of(session), model, work), name=f"idle-work-{session}"
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(
        self, tab_chat: TabChat, model: InferenceModel, work: Callable[[Chat], Awaitable[object]]
    ) -> None:
        try:
            await work(await self._chats.ready(tab_chat, model))
        except GemmaChatError as error:
            # The turn that comes meets the same obstacle and reports it.
            _log.info("nothing was prepared for session %d: %s", tab_chat.session, error)
