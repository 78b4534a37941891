"""Asking: from a question to its turn in the model's queue, and what the end of a turn changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.errors import HostError, StoreError
from gemma_chat.host.crashes import Crashes
from gemma_chat.host.limits import checked_draft, checked_message
from gemma_chat.host.model_slot import ModelSlot
from gemma_chat.host.open_tabs import OpenTabs
from gemma_chat.host.protocol import MessageChanged
from gemma_chat.host.tab_chat import TabChat
from gemma_chat.host.tab_chats import TabChats
from gemma_chat.host.transcripts import Transcripts
from gemma_chat.host.turn_record import Outcome, TurnKind, TurnRecord
from gemma_chat.host.turns import RunningTurn
from gemma_chat.host.unfinished_turns import UnfinishedTurns
from gemma_chat.host.unstored import Unstored
from gemma_chat.host.uploads import media_of, must_be_taken
from gemma_chat.host.views import message_view
from gemma_chat.sessions.chat_turn import ChatTurn
from gemma_chat.sessions.turn import Turn
from gemma_chat.store.records import Message, NewAttachment
from gemma_chat.store.store import Store

_log = logging.getLogger(__name__)


class Asking:
    """Begins the turns of the open tabs and follows them to their ends."""

    def __init__(
        self,
        store: Store,
        slot: ModelSlot,
        tabs: OpenTabs,
        turns: UnfinishedTurns,
        chats: TabChats,
        unstored: Unstored,
        transcripts: Transcripts,
        crashes: Crashes,
        *,
        on_turns: Callable[[], None],
        on_finished: Callable[[int, Outcome], None],
    ) -> None:
        """`on_turns` is called when a turn is new or has ended.

        `on_finished` is called with the conversation and the outcome of each turn that ended in an
        open tab.
        """
        self._store = store
        self._slot = slot
        self._tabs = tabs
        self._turns = turns
        self._chats = chats
        self._unstored = unstored
        self._transcripts = transcripts
        self._crashes = crashes
        self._on_turns = on_turns
        self._on_finished = on_finished
        self._leaving = False

    # ------------------------------------------------------------ what is asked

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
        self._tabs.must_be_open(session)
        if self._slot.model is not None:
            description = self._slot.model.description
            on_server = bool(self._slot.view.server)
            must_be_taken(files, description.modalities, description.name, on_server=on_server)
        if after and not self._store.branches.is_shown(session, after):
            raise HostError(
                "Another terminal shows another branch of this conversation, or has deleted "
                "messages; look at it, then send again."
            )
        checked = checked_draft(text) if files else checked_message(text)
        question, reply = self._add(session, self._next_turn(session), checked, files=files)
        return self._answer(question, reply, asker)

    def ask_instead(self, session: int, old: Message, text: str, asker: int) -> int:
        """Ask in the place of `old`, on a new branch and with what is attached to it."""
        question, reply = self._add(session, self._next_turn(session), text, instead=old)
        self._chats.of(session).take_branch()
        self._tabs.publish(session, self._transcripts.changed(session, old.message))
        return self._answer(question, reply, asker)

    def ask_again(
        self, session: int, question: int, sampling: SamplingSettings | None, asker: int
    ) -> int:
        """Queue a turn that answers a stored question on a new branch; returns its number."""
        self._unstored.write()
        turn = self._next_turn(session)
        with self._store.together():
            reply = self._store.add_message(
                session, turn=turn, role="assistant", state="queued", parent=question
            )
            asked = self._store.update_message(question, state="queued", error="")
        self._chats.of(session).take_branch()
        self._tabs.publish(session, self._transcripts.changed(session, question))
        self._run(self._record(asked, reply, "ask_again"), sampling)
        return self._tell_asked(session, turn, asked, asker)

    def go_on(self, session: int, reply: Message, asker: int) -> int:
        """Queue a turn that writes on at the last reply; returns its number."""
        self._unstored.write()
        turn = self._next_turn(session)
        question = self._store.message(reply.parent)
        self._store.branches.reopen(reply.message, turn=turn)
        reopened = self._store.message(reply.message)
        self._run(self._record(question, reopened, "go_on"))
        return self._tell_asked(session, turn, reopened, asker)

    def rephrase(self, texts: Mapping[RunningTurn, str]) -> None:
        """Let waiting turns of one tab ask something else: all of them or none."""
        queued = {turn.engine_key[1]: text for turn, text in texts.items() if turn.engine_key}
        chat = self._chats.of(next(iter(texts)).session).chat if queued else None
        if chat is not None and not chat.rephrase(queued):
            raise HostError("This message is being answered already; stop that first.")
        for turn, text in texts.items():
            turn.rephrase(text)

    def stop(self, session: int, number: int) -> None:
        """End a turn of a tab; 0 is its oldest. One that has ended already is no error."""
        for turn in self._turns.of(session):
            if number in (0, turn.number):
                turn.stop()
                return

    def leave(self) -> None:
        """Interrupt all turns, and those that are still asked for by a request on its way."""
        self._leaving = True
        for turn in self._turns.all:
            turn.interrupt()

    def _next_turn(self, session: int) -> int:
        return self._store.conversation(session).turn + 1

    def _add(
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

    def _answer(self, question: Message, reply: Message, asker: int) -> int:
        self._run(self._record(question, reply))
        return self._tell_asked(question.session, reply.turn, question, asker)

    def _tell_asked(self, session: int, turn: int, message: Message, asker: int) -> int:
        self._tabs.publish(session, MessageChanged(session, turn, message_view(message)))
        self._tabs.tell(session, asker)
        self._on_turns()
        return turn

    # ------------------------------------------------------------ what becomes of it

    def _record(self, question: Message, reply: Message, kind: TurnKind = "ask") -> TurnRecord:
        publish = partial(self._tabs.publish, question.session)
        return TurnRecord(self._store, publish, question, reply, self._unstored, kind=kind)

    def _run(self, record: TurnRecord, sampling: SamplingSettings | None = None) -> None:
        tab_chat = self._chats.of(record.session)
        turn = RunningTurn(
            record,
            partial(self._queue, tab_chat, record, sampling),
            self._ended,
            on_calling=lambda: self._tabs.tell(record.session),
        )
        self._turns.add(turn)
        if self._leaving:
            turn.interrupt()

    async def _queue(
        self, tab_chat: TabChat, record: TurnRecord, sampling: SamplingSettings | None
    ) -> Turn | ChatTurn:
        async with self._chats.in_line(tab_chat) as (chat, model):
            record.model = model.description.name
            key = (record.session, record.turn)
            self._crashes.begin_turn(key, record.question, model.description.name)
            if record.kind == "go_on":
                return chat.continue_response(sampling=sampling)
            media = media_of(record.question, self._store.file_of)
            return chat.start_turn(record.question.text, sampling=sampling, media=media)

    def begun(self, engine_key: tuple[int, int]) -> None:
        """The turn that the model calls so has the lock."""
        turn = self._turns.queued_as(engine_key)
        if turn is not None:
            self._crashes.run_turn((turn.session, turn.number))
            turn.record.begin()

    def _ended(self, turn: RunningTurn, outcome: Outcome) -> None:
        """A turn has ended and its messages are settled."""
        session = turn.session
        self._turns.remove(turn)
        model = self._slot.model
        crashed = model is not None and model.failure is not None
        self._crashes.end_turn((session, turn.number), crashed=crashed)
        if self._tabs.is_open(session):
            if turn.record.brought_back:
                self._chats.of(session).take_branch()
            elif turn.withdrawn and outcome.kept:
                # It had begun after all; the chat forgets it as soon as it has no turns.
                self._chats.pins_changed(session)
            try:
                self._chats.turn_ended(turn.record, kept=outcome.kept and not turn.withdrawn)
                self._note_end(session, outcome)
            except StoreError as error:
                _log.error("the end of turn %d of %d: %s", turn.number, session, error)
            self._on_finished(session, outcome)
        self._on_turns()

    def _note_end(self, session: int, outcome: Outcome) -> None:
        self._store.set_failed(session, failed=outcome.reason == "failed")
        if outcome.reason not in ("stopped", "closed"):
            self._store.set_unread(session, unread=True)
        chat = self._chats.of(session).chat
        if outcome.kept and chat is not None:
            self._store.set_context_used(session, chat.session.context_used)
        self._tabs.tell(session)
