"""The open conversations put together: their tabs, chats and turns, and what concerns them all.

What a tab is stands in the store and nowhere else; here is only what lives: the chat on the
loaded model, opened with the first turn that needs it, and the turns that have not ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.tools import ToolSettings
from gemma_chat.host.asking import Asking
from gemma_chat.host.crashes import Crashes
from gemma_chat.host.idle_work import IdleWork
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.open_tabs import OpenTabs
from gemma_chat.host.protocol import Event
from gemma_chat.host.tab_chat import TabChat, possible_on
from gemma_chat.host.tab_chats import TabChats
from gemma_chat.host.tab_tools import TabTools
from gemma_chat.host.tool_questions import ToolQuestions
from gemma_chat.host.transcripts import Transcripts
from gemma_chat.host.turn_record import Outcome
from gemma_chat.host.turns import RunningTurn
from gemma_chat.host.unfinished_turns import UnfinishedTurns
from gemma_chat.host.unstored import Unstored
from gemma_chat.store.store import Store


class Conversations:
    """All open tabs with their chats and their unfinished turns."""

    def __init__(
        self,
        store: Store,
        slot: ModelSlot,
        publish: Callable[[Event], None],
        tools: TabTools,
        crashes: Crashes,
        *,
        on_turns: Callable[[], None],
        on_finished: Callable[[int, Outcome], None],
    ) -> None:
        """Find the tabs that are open in `store`; the callbacks are those of `Asking`."""
        self._store = store
        self._slot = slot
        self._tools = tools
        self._closing: dict[int, asyncio.Task[None]] = {}
        self.turns = UnfinishedTurns()
        """The turns that run or wait."""
        self.unstored = Unstored(store, publish)
        """What the store would not take."""
        self.questions = ToolQuestions(
            lambda session: store.conversation(session).settings.tools,
            self._remember_answer,
            lambda session: self.tabs.tell(session),
        )
        """What persons are asked about the calls of models."""
        self.tabs = OpenTabs(store, publish, self.turns, self.questions)
        """Which are open, and how they stand."""
        self.chats = TabChats(store, slot, self.tabs, self.turns, tools, self.questions.permit)
        """What the model knows of them."""
        self.transcripts = Transcripts(store, self.turns, self.unstored)
        """What is shown of them."""
        self.idle_work = IdleWork(store, slot, self.tabs, self.turns, self.chats)
        """What is done for them while they have no turns."""
        self.asking = Asking(
            store,
            slot,
            self.tabs,
            self.turns,
            self.chats,
            self.unstored,
            self.transcripts,
            crashes,
            on_turns=on_turns,
            on_finished=on_finished,
        )
        """How they come to their turns."""

    def set_settings(self, session: int, settings: SessionSettings) -> None:
        """Change a tab's settings, from its next turn on."""
        tab_chat, model = self.chats.of(session), self._slot.model
        before = self._store.conversation(session).settings
        if model is not None and settings != before:
            # A wish that came with the tab stays until it meets a model that can fulfil it.
            new_wish = settings.enable_thinking and not before.enable_thinking
            model.check(settings if new_wish else possible_on(model, settings))
        self._store.set_settings(session, settings.validated())
        tab_chat.set_settings(settings)

    def close(self, session: int) -> None:
        """Close a tab: its turns are stopped, its conversation stays in the store."""
        self.tabs.close(session)
        turns = self.turns.of(session)
        for turn in turns:
            turn.stop()
        self._tools.forget(session)
        tab_chat = self.chats.take_out(session)
        closing = asyncio.create_task(_close(tab_chat, turns), name=f"close-{session}")
        self._closing[session] = closing
        closing.add_done_callback(lambda _: self._closing.pop(session, None))

    async def reopen(self, session: int, asker: int) -> None:
        """Open the tab of a stored conversation again; one that is open stays as it is."""
        closing = self._closing.get(session)
        if closing is not None:
            await asyncio.wait([closing])
        self.tabs.reopen(session, asker)

    async def delete(self, sessions: Collection[int]) -> None:
        """Delete conversations for good; tabs that show them are closed first."""
        for session in sessions:
            self._store.conversation(session)
        # While a tab closes, another terminal may open it again.
        while shown := [one for one in set(sessions) if self._is_open_or_closing(one)]:
            for session in filter(self.tabs.is_open, shown):
                self.close(session)
            await asyncio.wait([self._closing[session] for session in shown])
        self._store.library.delete(tuple(sessions))

    def _is_open_or_closing(self, session: int) -> bool:
        return self.tabs.is_open(session) or session in self._closing

    async def end_all(self) -> None:
        """End every turn, as when the host leaves: what is unfinished becomes `interrupted`."""
        self.asking.leave()
        while (turns := self.turns.all) or self._closing:
            await asyncio.gather(*(turn.ended() for turn in turns), *self._closing.values())
        self.unstored.close()

    def _remember_answer(self, session: int, tools: ToolSettings) -> None:
        settings = self._store.conversation(session).settings
        self.set_settings(session, msgspec.structs.replace(settings, tools=tools))
        self.tabs.tell(session)


async def _close(tab_chat: TabChat | None, turns: Iterable[RunningTurn]) -> None:
    await asyncio.gather(*(turn.ended() for turn in turns))
    if tab_chat is not None:
        await tab_chat.close()
