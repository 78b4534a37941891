"""The tabs: which conversations are open, and the turns that run or wait in them.

What a tab is stands in the store and nowhere else; here is only what lives: the chat on the
loaded model, opened with the first turn that needs it, and the turns that have not ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import msgspec

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.tools import ToolSettings
from gemma_chat.engine.interface import Media
from gemma_chat.errors import GemmaChatError, HostError, StoreError
from gemma_chat.host.context import history_of
from gemma_chat.host.crashes import Crashes
from gemma_chat.host.limits import checked_draft, checked_message
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.protocol import (
    Event,
    MessageChanged,
    Notice,
    SessionChanged,
    SessionClosed,
    SessionView,
    TabsArranged,
    TranscriptChanged,
)
from gemma_chat.host.replacing import (
    digest_of,
    keep_replacement,
    overflow_notice,
    replaced_view,
    replies_of,
    stored_replacements,
)
from gemma_chat.host.tab_tools import TabTools
from gemma_chat.host.tool_questions import ToolQuestions
from gemma_chat.host.turn_record import Outcome, TurnKind, TurnRecord
from gemma_chat.host.turns import RunningTurn
from gemma_chat.host.unstored import Unstored
from gemma_chat.host.uploads import media_of, must_be_taken
from gemma_chat.host.views import message_view, session_view
from gemma_chat.sessions.chat import Chat
from gemma_chat.sessions.chat_turn import ChatTurn
from gemma_chat.sessions.context_view import ContextView
from gemma_chat.sessions.events import TurnsDropped
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.replacement import Replacement
from gemma_chat.sessions.tool_policy import ToolPolicy
from gemma_chat.sessions.turn import Turn
from gemma_chat.store.records import Conversation, Message, NewAttachment
from gemma_chat.store.store import Store
from gemma_chat.tools.tool import Tool

_log = logging.getLogger(__name__)

Place = Literal["tab", "aside", "passing"]
"""Where an open session is seen, and what becomes of it: see `OpenSession`."""


@dataclass(slots=True)
class _Tab:
    """What lives of an open tab. `chat` is of `model`; another model needs another chat."""

    session: int
    title: str
    place: Place = "tab"
    client: int = 0
    """Who opened a passing session."""
    model: InferenceModel | None = None
    chat: Chat | None = None
    chat_is_elsewhere: bool = False
    """The chat's history is of another branch than the one that is shown now."""
    has_other_pins: bool = False
    """Messages were pinned while the chat had a turn."""
    replies: list[int] = field(default_factory=list)
    """The messages with which the exchanges of the chat end, oldest first."""


class Conversations:
    """All open tabs and their unfinished turns."""

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
        """Find the tabs that are open in `store`.

        `on_turns` is called when a turn is new or has ended, `on_finished` with the conversation
        and the outcome of each turn that ended in an open tab.
        """
        self._store = store
        self._slot = slot
        self._publish = publish
        self._tools = tools
        self._crashes = crashes
        self.questions = ToolQuestions(
            lambda session: store.conversation(session).settings.tools,
            self._remember_answer,
            self.tell,
        )
        """What persons are asked about the calls of models."""
        self._on_turns = on_turns
        self._on_finished = on_finished
        self._tabs = {
            tab.session: _Tab(tab.session, session_view(tab).title)
            for tab in store.conversations(open_only=True)
        }
        self._turns: dict[tuple[int, int], RunningTurn] = {}
        self.unstored = Unstored(store, publish)
        """What the store would not take."""
        self._closing: dict[int, asyncio.Task[None]] = {}
        self._leaving = False
        self._working_ahead: set[asyncio.Task[None]] = set()
        # Turns enter the model's queue in the order in which they were asked.
        self._queueing = asyncio.Lock()

    # ------------------------------------------------------------ reading

    @property
    def turns(self) -> tuple[RunningTurn, ...]:
        """The turns that have not ended, in the order in which they were asked."""
        return tuple(self._turns.values())

    @property
    def under_way(self) -> bool:
        """Whether a turn is being answered: it has begun, and its model is needed for the rest."""
        return any(turn.begun for turn in self._turns.values())

    @property
    def count(self) -> int:
        """How many tabs are open."""
        return len(self._tabs)

    def unfinished(self, session: int) -> dict[int, str | None]:
        """The replies of a conversation that are not finished, with all their text so far.

        `None` is the text of a reply that has not begun.
        """
        return dict(turn.record.reply for turn in self._turns.values() if turn.session == session)

    def must_be_open(self, session: int) -> None:
        """Raise `HostError` when no tab shows this conversation."""
        if session not in self._tabs:
            raise HostError(f"There is no open tab {session}; it may have been closed elsewhere.")

    def must_be_shown(self, session: int) -> None:
        """Raise `HostError` when this conversation stands in no tab."""
        if not self.is_shown(session):
            raise HostError(f"There is no open tab {session}; it may have been closed elsewhere.")

    def views(self) -> tuple[SessionView, ...]:
        """All tabs, in the order of the tab bar."""
        return tuple(map(self._view, self._store.conversations(open_only=True)))

    def title(self, session: int) -> str:
        """The title of a tab as it is shown; empty when it is closed."""
        tab = self._tabs.get(session)
        return "" if tab is None else tab.title

    def tab_of(self, engine_session: int) -> int:
        """The tab whose chat computes in this session of the model; 0 when it is none."""
        for tab in self._tabs.values():
            chat = tab.chat if tab.model is self._slot.model else None
            if chat is not None and chat.session.id == engine_session:
                return tab.session
        return 0

    def tell(self, session: int, asker: int = 0) -> None:
        """Tell everybody how a tab stands now; `asker` is the client that changed it."""
        tab = self._tabs.get(session)
        if tab is not None and tab.place == "tab":
            view = self._view(self._store.conversation(session))
            tab.title = view.title
            self._publish(SessionChanged(view, asker))

    def _view(self, conversation: Conversation) -> SessionView:
        """A tab, without the replies that have not begun."""
        waiting = list(self.unfinished(conversation.session).values()).count(None)
        count = conversation.message_count - waiting
        return msgspec.structs.replace(
            session_view(conversation),
            message_count=count,
            replaced=replaced_view(self._store, conversation.session),
            asking=self.questions.of(conversation.session),
            calling=tuple(
                name
                for turn in self._turns.values()
                if turn.session == conversation.session
                for name in turn.calling
            ),
        )

    # ------------------------------------------------------------ tabs

    def open(self, title: str, settings: SessionSettings, asker: int, *, group: str = "") -> int:
        """Open a new tab behind the others of its group; returns its number."""
        created = self._store.create(
            settings.validated(),
            title=title,
            title_by="person" if title else "nobody",
            group=group,
        )
        self._tabs[created.session] = _Tab(created.session, created.title)
        self.tell(created.session, asker)
        self.tell_order()
        return created.session

    def open_aside(
        self, title: str, settings: SessionSettings, *, passing: bool, client: int
    ) -> int:
        """Open a session that no tab shows; returns its number."""
        session = self._store.library.add(title, settings.validated(), ())
        place: Place = "passing" if passing else "aside"
        self._tabs[session] = _Tab(session, title, place, client)
        return session

    def is_shown(self, session: int) -> bool:
        """Whether a tab shows this conversation."""
        tab = self._tabs.get(session)
        return tab is not None and tab.place == "tab"

    def passing(self, client: int) -> tuple[int, ...]:
        """The passing sessions that a client has opened."""
        return tuple(
            tab.session
            for tab in self._tabs.values()
            if tab.place == "passing" and tab.client == client
        )

    async def delete(self, sessions: Collection[int]) -> None:
        """Delete conversations for good; tabs that show them are closed first."""
        for session in sessions:
            self._store.conversation(session)
        # While a tab closes, another terminal may open it again.
        while shown := (self._tabs.keys() | self._closing.keys()) & set(sessions):
            for session in self._tabs.keys() & shown:
                self.close(session)
            await asyncio.wait([self._closing[session] for session in shown])
        self._store.library.delete(tuple(sessions))

    def close(self, session: int) -> None:
        """Close a tab: its turns are stopped, its conversation stays in the store."""
        self.must_be_open(session)
        self._store.close_tab(session)
        tab = self._tabs.pop(session)
        turns = [turn for turn in self._turns.values() if turn.session == session]
        for turn in turns:
            turn.stop()
        self._tools.forget(session)
        self._publish(SessionClosed(session))
        self.tell_order()
        closing = asyncio.create_task(_close(tab, turns), name=f"close-{session}")
        self._closing[session] = closing
        closing.add_done_callback(lambda _: self._closing.pop(session, None))

    async def reopen(self, session: int, asker: int) -> None:
        """Open the tab of a stored conversation again; one that is open stays as it is."""
        closing = self._closing.get(session)
        if closing is not None:
            await asyncio.wait([closing])
        if session not in self._tabs:
            self._store.open_at(session)
            self._tabs[session] = _Tab(session, "")
        self.tell(session, asker)
        self.tell_order()

    def set_settings(self, session: int, settings: SessionSettings) -> None:
        """Change a tab's settings, from its next turn on."""
        tab, model = self._tabs[session], self._slot.model
        before = self._store.conversation(session).settings
        if model is not None and settings != before:
            # A wish that came with the tab stays until it meets a model that can fulfil it.
            new_wish = settings.enable_thinking and not before.enable_thinking
            model.check(settings if new_wish else possible_on(model, settings))
        self._store.set_settings(session, settings.validated())
        if tab.chat is not None and tab.model is not None:
            tab.chat.settings = possible_on(tab.model, settings)

    def _remember_answer(self, session: int, tools: ToolSettings) -> None:
        settings = self._store.conversation(session).settings
        self.set_settings(session, msgspec.structs.replace(settings, tools=tools))
        self.tell(session)

    def tell_order(self) -> None:
        """Tell everybody in which order the tabs stand now, which may have changed."""
        self._publish(TabsArranged(self._store.tabs.order()))

    # ------------------------------------------------------------ turns

    def send(
        self,
        session: int,
        text: str,
        asker: int,
        *,
        after: int = 0,
        files: Sequence[NewAttachment] = (),
    ) -> int:
        """Store a question and queue its turn; returns the turn's number.

        It must be meant for the branch on which message `after` stands. `files` are checked.
        """
        self.must_be_open(session)
        if self._slot.model is not None:
            description = self._slot.model.description
            must_be_taken(files, description.modalities, description.name)
        if after and not self._store.branches.is_shown(session, after):
            raise HostError(
                "Another terminal shows another branch of this conversation, or has deleted "
                "messages; look at it, then send again."
            )
        checked = checked_draft(text) if files else checked_message(text)
        question, reply = self._ask(session, self._next_turn(session), checked, files=files)
        return self._answer(question, reply, asker)

    def ask_instead(self, session: int, old: Message, text: str, asker: int) -> int:
        """Ask in the place of `old`, on a new branch and with what is attached to it."""
        question, reply = self._ask(session, self._next_turn(session), text, instead=old)
        self.take_branch(session)
        self._publish(TranscriptChanged(session, old.message))
        return self._answer(question, reply, asker)

    def _answer(self, question: Message, reply: Message, asker: int) -> int:
        session = question.session
        self._run(self._record(question, reply))
        return self._tell_asked(session, reply.turn, question, asker)

    def ask_again(
        self, session: int, question: int, sampling: SamplingSettings | None, asker: int
    ) -> int:
        """Queue a turn that answers a stored question on a new branch; returns its number."""
        self.unstored.write()
        turn = self._next_turn(session)
        with self._store.together():
            reply = self._store.add_message(
                session, turn=turn, role="assistant", state="queued", parent=question
            )
            asked = self._store.update_message(question, state="queued", error="")
        self.take_branch(session)
        self._publish(TranscriptChanged(session, question))
        self._run(self._record(asked, reply, "ask_again"), sampling)
        return self._tell_asked(session, turn, asked, asker)

    def go_on(self, session: int, reply: Message, asker: int) -> int:
        """Queue a turn that writes on at the last reply; returns its number."""
        self.unstored.write()
        turn = self._next_turn(session)
        question = self._store.message(reply.parent)
        self._store.branches.reopen(reply.message, turn=turn)
        reopened = self._store.message(reply.message)
        self._run(self._record(question, reopened, "go_on"))
        return self._tell_asked(session, turn, reopened, asker)

    def _record(self, question: Message, reply: Message, kind: TurnKind = "ask") -> TurnRecord:
        publish = partial(self._publish_of, question.session)
        return TurnRecord(self._store, publish, question, reply, self.unstored, kind=kind)

    def _run(self, record: TurnRecord, sampling: SamplingSettings | None = None) -> None:
        tab = self._tabs[record.session]
        turn = self._turns[record.session, record.turn] = RunningTurn(
            record,
            partial(self._queue, tab, record, sampling),
            self._ended,
            on_calling=lambda: self.tell(record.session),
        )
        if self._leaving:
            # Its request was on the way when the host was told to leave.
            turn.interrupt()

    def _next_turn(self, session: int) -> int:
        return self._store.conversation(session).turn + 1

    def _tell_asked(self, session: int, turn: int, message: Message, asker: int) -> int:
        self._publish(MessageChanged(session, turn, message_view(message)))
        self.tell(session, asker)
        self._on_turns()
        return turn

    def waiting(self, session: int) -> tuple[RunningTurn, ...]:
        """The new questions of a tab that wait for their first word, in order."""
        return tuple(
            turn for turn in self._turns.values() if turn.session == session and turn.waits
        )

    def rephrase(self, texts: Mapping[RunningTurn, str]) -> None:
        """Let waiting turns of one tab ask something else: all of them or none."""
        queued = {turn.engine_key[1]: text for turn, text in texts.items() if turn.engine_key}
        chat = self._tabs[next(iter(texts)).session].chat if queued else None
        if chat is not None and not chat.rephrase(queued):
            raise HostError("This message is being answered already; stop that first.")
        for turn, text in texts.items():
            turn.rephrase(text)

    def take_branch(self, session: int) -> None:
        """Another branch is shown: the chat goes on from there with its next turn."""
        self._tabs[session].chat_is_elsewhere = True

    def fork(self, source: Conversation, title: str, *, up_to: int, draft: str, asker: int) -> int:
        """Open a tab beside `source` with its shown messages up to number `up_to`."""
        created = self._store.create(
            source.settings,
            title=title,
            title_by=source.title_by,
            position=None if source.position is None else source.position + 1,
            group=source.group,
        )
        session = created.session
        self._store.branches.fork(source.session, session, up_to)
        if draft:
            self._store.set_draft(session, draft)
        self._tabs[session] = _Tab(session, created.title)
        self.tell(session, asker)
        self.tell_order()
        return session

    def _ask(
        self,
        session: int,
        turn: int,
        text: str,
        *,
        files: Sequence[NewAttachment] = (),
        instead: Message | None = None,
    ) -> tuple[Message, Message]:
        """Store a question, and the place of its reply before all that is asked later."""
        with self._store.together():
            question = self._store.add_message(
                session,
                turn=turn,
                role="user",
                text=text,
                state="queued",
                parent=None if instead is None else instead.parent,
                attachments=files,
                attachments_of=None if instead is None else instead.message,
            )
            reply = self._store.add_message(session, turn=turn, role="assistant", state="queued")
        return question, reply

    def anticipate(self, session: int, draft: str = "") -> None:
        """Evaluate ahead, while nobody waits, what the next turn of a tab begins with.

        Without a model, or while the tab has turns, nothing happens: those evaluate it themselves.
        """

        async def anticipate(chat: Chat) -> None:
            chat.anticipate(draft)

        self._while_idle(session, anticipate)

    def measure(self, session: int) -> None:
        """Find out how much of the context a tab takes that was forked, imported or cut."""

        async def measure(chat: Chat) -> None:
            tokens = await asyncio.to_thread(lambda: chat.context_used)
            if session in self._tabs and not self._is_busy(session):
                self._store.set_context_used(session, tokens)
                self.tell(session)

        self._while_idle(session, measure)

    def make_room(self, session: int) -> None:
        """Prepare for a full context while nobody waits, with the summary as it is now."""
        self._while_idle(session, lambda chat: chat.make_room())

    def _while_idle(self, session: int, work: Callable[[Chat], Awaitable[object]]) -> None:
        model = self._slot.model
        if model is not None and not self._is_busy(session) and session in self._tabs:
            task = asyncio.create_task(
                self._ahead(model, self._tabs[session], work), name=f"ahead-{session}"
            )
            self._working_ahead.add(task)
            task.add_done_callback(self._working_ahead.discard)

    async def _ahead(
        self, model: InferenceModel, tab: _Tab, work: Callable[[Chat], Awaitable[object]]
    ) -> None:
        try:
            await work(await self._ready_chat(tab, model))
        except GemmaChatError as error:
            # The turn that comes meets the same obstacle and reports it.
            _log.info("nothing was evaluated ahead for %d: %s", tab.session, error)

    async def _ready_chat(self, tab: _Tab, model: InferenceModel) -> Chat:
        tools = await self._tools_of(tab)
        async with self._queueing:
            self._must_still_be_open(tab)
            chat = await self._chat_of(tab, model)
            chat.tools = tools
            return chat

    def _must_still_be_open(self, tab: _Tab) -> None:
        """Nothing is begun for a tab that was closed meanwhile: nobody would end it."""
        if tab.session not in self._tabs:
            self._tools.forget(tab.session)
        if self._tabs.get(tab.session) is not tab:
            raise HostError(f"Tab {tab.session} was closed meanwhile.")

    def _is_busy(self, session: int) -> bool:
        return any(turn.session == session for turn in self._turns.values())

    async def context(self, session: int) -> ContextView:
        """What the model sees of a tab; raises `HostError` when there is no model."""
        self.must_be_open(session)
        model = self._slot.model
        if model is None:
            raise HostError("There is no model to show the context of; load one first.")
        if self._slot.view.next:
            # A question may wait for that model with the right to be queued next.
            raise HostError(
                f"{self._slot.view.next} is about to be loaded; look at the context then."
            )
        chat = await self._ready_chat(self._tabs[session], model)
        return await asyncio.to_thread(chat.context)

    def pins_changed(self, session: int) -> None:
        """Messages of a tab were pinned or are not any more: its chat takes that over."""
        if self._is_busy(session):
            self._tabs[session].has_other_pins = True
        else:
            self.take_branch(session)

    def begun(self, engine_key: tuple[int, int]) -> None:
        """The turn that the model calls so has the lock."""
        for turn in self._turns.values():
            if turn.engine_key == engine_key:
                self._crashes.run_turn((turn.session, turn.number))
                turn.record.begin()

    def stop(self, session: int, number: int) -> None:
        """End a turn of a tab; 0 is its oldest. One that has ended already is no error."""
        for turn in self._turns.values():
            if turn.session == session and number in (0, turn.number):
                turn.stop()
                return

    async def end_all(self) -> None:
        """End every turn, as when the host leaves: what is unfinished becomes `interrupted`."""
        self._leaving = True
        while self._turns or self._closing:
            turns = self.turns
            for turn in turns:
                turn.interrupt()
            await asyncio.gather(*(turn.ended() for turn in turns), *self._closing.values())
        self.unstored.close()

    async def _queue(
        self, tab: _Tab, record: TurnRecord, sampling: SamplingSettings | None
    ) -> Turn | ChatTurn:
        # Before it is in line: others do not wait for the servers of this tab.
        tools = await self._tools_of(tab)
        async with self._queueing:
            model = await self._slot.ready()
            chat = await self._chat_of(tab, model)
            chat.tools = tools
            record.model = model.description.name
            key = (record.session, record.turn)
            self._crashes.begin_turn(key, record.question, model.description.name)
            if record.kind == "go_on":
                return chat.continue_response(sampling=sampling)
            media = self._media_of(record.question)
            return chat.start_turn(record.question.text, sampling=sampling, media=media)

    async def _tools_of(self, tab: _Tab) -> tuple[Tool, ...]:
        settings = self._store.conversation(tab.session).settings.tools
        return await self._tools.of(tab.session, settings)

    async def _chat_of(self, tab: _Tab, model: InferenceModel) -> Chat:
        """The chat of a tab on `model`, opened when it is first needed."""
        chat = tab.chat
        # The history is read before anybody is waited for; what is chosen after that comes next.
        elsewhere, tab.chat_is_elsewhere = tab.chat_is_elsewhere, False
        if chat is None or tab.model is not model:
            chat = tab.chat = await self._open_chat(model, tab)
            tab.model = model
        elif elsewhere:
            try:
                await chat.go_to(*self._history(tab))
            except BaseException:
                tab.chat_is_elsewhere = True
                raise
        chat.digest = digest_of(self._store.conversation(tab.session).summary, tab.replies)
        return chat

    def _history(self, tab: _Tab) -> tuple[tuple[HistoryMessage, ...], tuple[Replacement, ...]]:
        messages = self._store.messages(tab.session)
        tab.replies = replies_of(messages)
        replacements = stored_replacements(self._store, tab.session, tab.replies)
        return history_of(messages, self._media_of), replacements

    def _media_of(self, message: Message) -> tuple[Media, ...]:
        return media_of(message, self._store.file_of)

    async def _open_chat(self, model: InferenceModel, tab: _Tab) -> Chat:
        session = tab.session
        history, replacements = self._history(tab)
        chat = await model.open_chat(
            history=history,
            replacements=replacements,
            settings=possible_on(model, self._store.conversation(session).settings),
            tool_policy=ToolPolicy(permission=partial(self.questions.permit, session)),
        )
        chat.subscribe(partial(self._tell_overflow, session))
        return chat

    def _ended(self, turn: RunningTurn, outcome: Outcome) -> None:
        """A turn has ended and its messages are settled."""
        session = turn.session
        self._turns.pop((session, turn.number), None)
        model = self._slot.model
        crashed = model is not None and model.failure is not None
        self._crashes.end_turn((session, turn.number), crashed=crashed)
        if session in self._tabs:
            if turn.record.brought_back:
                self.take_branch(session)
            try:
                self._note_exchange(turn, outcome)
                self._note_end(session, outcome)
            except StoreError as error:
                _log.error("the end of turn %d of %d: %s", turn.number, session, error)
            self._on_finished(session, outcome)
        self._on_turns()

    def _note_exchange(self, turn: RunningTurn, outcome: Outcome) -> None:
        tab = self._tabs[turn.session]
        if outcome.kept and tab.chat is not None:
            if turn.record.kind != "go_on":
                tab.replies.append(turn.record.reply[0])
            keep_replacement(self._store, tab.session, tab.replies, tab.chat.replacements)
        if tab.has_other_pins and not self._is_busy(tab.session):
            tab.has_other_pins = False
            self.take_branch(tab.session)

    def _note_end(self, session: int, outcome: Outcome) -> None:
        self._store.set_failed(session, failed=outcome.reason == "failed")
        if outcome.reason not in ("stopped", "closed"):
            self._store.set_unread(session, unread=True)
        chat = self._tabs[session].chat
        if outcome.kept and chat is not None:
            self._store.set_context_used(session, chat.session.context_used)
        self.tell(session)

    def _publish_of(self, session: int, event: Event) -> None:
        """Tell about a turn, as long as its tab is open."""
        if session in self._tabs:
            self._publish(event)

    def _tell_overflow(self, session: int, dropped: TurnsDropped) -> None:
        if notice := overflow_notice(dropped):
            self._publish_of(session, Notice("information", notice, session))
        tab = self._tabs.get(session)
        if dropped.turn or tab is None or tab.chat is None:
            return
        try:
            keep_replacement(self._store, session, tab.replies, tab.chat.replacements)
            self._store.set_context_used(session, tab.chat.context_used)
            self.tell(session)
        except StoreError as error:
            _log.error("what is replaced in conversation %d: %s", session, error)


def possible_on(model: InferenceModel, settings: SessionSettings) -> SessionSettings:
    """The settings of a tab without the wish for thinking, when `model` has no switch for it.

    Tabs outlive models, and each must be able to ask the one that is loaded now.
    """
    if settings.enable_thinking and not model.description.thinks:
        return msgspec.structs.replace(settings, enable_thinking=False)
    return settings


async def _close(tab: _Tab, turns: list[RunningTurn]) -> None:
    await asyncio.gather(*(turn.ended() for turn in turns))
    if tab.chat is not None:
        await tab.chat.close()
