"""What can be done with the messages of a tab: ask again, go between branches, delete, pin.

Terminals act on what they see, and two of them see the same tab. So a request names the message it
is about, which must still be on the branch that is shown, and a deletion names the newest message
its terminal knew of: what came after that is never deleted unseen. While a turn of the tab is
unfinished its place in the conversation stays: asking again ends a running reply first, and
everything else is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from gemma_chat.errors import HostError
from gemma_chat.host.conversations import Conversations
from gemma_chat.host.limits import checked_draft, checked_message, checked_title
from gemma_chat.host.protocol import (
    MAX_TITLE_CHARACTERS,
    ContinueReply,
    DeleteMessage,
    Done,
    EditMessage,
    Event,
    ForkFrom,
    MessageUpdated,
    Opened,
    PinMessage,
    Queued,
    Regenerate,
    ReorderQueue,
    Reply,
    SelectBranch,
)
from gemma_chat.host.turns import RunningTurn
from gemma_chat.host.views import message_view
from gemma_chat.store.records import Message
from gemma_chat.store.store import Store

BranchRequest = (
    EditMessage
    | Regenerate
    | ContinueReply
    | SelectBranch
    | DeleteMessage
    | ForkFrom
    | PinMessage
    | ReorderQueue
)

_FORK: Final = " (fork)"


class Branching:
    """Carries out requests about single messages. Raises `HostError` with a sentence."""

    def __init__(
        self,
        store: Store,
        conversations: Conversations,
        publish: Callable[[Event], None],
        *,
        on_others_shown: Callable[[int, bool], None],
    ) -> None:
        """`on_others_shown` hears of a tab that shows other messages from now on, and whether its
        summary covered what is no longer shown."""
        self._store = store
        self._tabs = conversations.tabs
        self._turns = conversations.turns
        self._chats = conversations.chats
        self._asking = conversations.asking
        self._transcripts = conversations.transcripts
        self._publish = publish
        self._on_others_shown = on_others_shown

    async def answer(self, request: BranchRequest, asker: int) -> Reply:
        """Carry `request` out for the client with pid `asker`."""
        session = request.session
        if not isinstance(request, ForkFrom):
            self._tabs.must_be_open(session)
        match request:
            case EditMessage():
                turn = await self._edit(request, asker)
                return Queued(request.id, session, turn)
            case Regenerate():
                turn = await self._regenerate(request, asker)
                return Queued(request.id, session, turn)
            case ContinueReply():
                turn = self._continue(session, request.message, asker)
                return Queued(request.id, session, turn)
            case ForkFrom():
                return Opened(request.id, self._fork(request, asker))
            case SelectBranch():
                self._select(session, request.message, request.branch)
            case DeleteMessage():
                await self._delete(request)
            case PinMessage():
                self._pin(session, request.message, pinned=request.pinned)
            case ReorderQueue():
                self._reorder(session, request.turns)
        self._tabs.tell(session, asker)
        if isinstance(request, SelectBranch | DeleteMessage):
            # Everybody sees it by now; who asked for it hears that it is done when it will stay.
            await asyncio.to_thread(self._store.sync)
        return Done(request.id)

    # ------------------------------------------------------------ asking again

    async def _edit(self, request: EditMessage, asker: int) -> int:
        session, message = request.session, request.message
        old = self._shown(session, message)
        if old.role != "user":
            raise HostError("Only your own messages can be edited; regenerate the reply instead.")
        text = (checked_draft if old.attachments else checked_message)(request.text)
        waiting = self._waiting(session, message)
        if waiting is not None:
            self._asking.rephrase({waiting: text})
            return waiting.number
        await self._end_running(session, request.newest)
        old = self._shown(session, message)
        self._note_change(session, message)
        return self._asking.ask_instead(session, old, text, asker)

    async def _regenerate(self, request: Regenerate, asker: int) -> int:
        session, message = request.session, request.message
        if request.sampling is not None:
            request.sampling.validated()
        question = self._question_of(session, message)
        if self._waiting(session, question) is not None:
            raise HostError("This message still waits for its first reply.")
        await self._end_running(session, request.newest)
        question = self._question_of(session, message)
        self._note_change(session, question)
        return self._asking.ask_again(session, question, request.sampling, asker)

    def _continue(self, session: int, message: int, asker: int) -> int:
        reply = self._shown(session, message)
        self._must_be_idle(session, "continue a reply")
        if reply.role != "assistant" or not reply.text.strip():
            raise HostError("Only a reply can go on; choose one.")
        if self._store.branches.end(session) != message:
            raise HostError(
                "Only the newest reply can go on: the messages after it answer it as it is. "
                "Fork a tab from it to go on there."
            )
        return self._asking.go_on(session, reply, asker)

    # ------------------------------------------------------------ branches

    def _select(self, session: int, message: int, branch: int) -> None:
        self._shown(session, message)
        self._must_be_idle(session, "show another branch")
        other = self._store.branches.sibling(message, branch)
        with self._store.together("soon"):
            self._note_change(session, min(message, other))
            self._store.branches.show(other)
        self._changed(session, min(message, other))

    async def _delete(self, request: DeleteMessage) -> None:
        session, message = request.session, request.message
        old = self._shown(session, message)
        waiting = self._waiting(session, message)
        if waiting is not None:
            # The turns of the other messages go on, so nothing but this one may be touched.
            waiting.withdraw(lambda: self._take_back(old))
            await waiting.ended()
            if self._store.branches.is_shown(session, message):
                self._take_back(old)
            return
        self._must_be_idle(session, "delete messages")
        if self._store.branches.end(session) > request.newest:
            raise HostError(
                "Another terminal has added a message after this one meanwhile; look at it, then "
                "delete again."
            )
        if request.scope == "exchange" and old.role != "user":
            message = self._question_of(session, message)
        above = self._store.message(message).parent
        with self._store.together("soon"):
            self._note_change(session, message)
            self._store.replacements.forget(session, message)
            if request.scope == "exchange":
                self._store.branches.remove_exchange(message)
            else:
                self._store.branches.remove_following(message)
        # Where another branch begins in its place, that is shown, and may be older.
        self._changed(session, above + 1)

    def _take_back(self, question: Message) -> None:
        with self._store.together("soon"):
            self._store.branches.remove_exchange(question.message)
        self._publish(self._transcripts.changed(question.session, question.parent + 1))

    def _fork(self, request: ForkFrom, asker: int) -> int:
        source = self._store.conversation(request.session)
        title_by = source.title_by
        if request.title is None:
            title = source.title and f"{source.title[: MAX_TITLE_CHARACTERS - len(_FORK)]}{_FORK}"
        else:
            title = checked_title(request.title)
            title_by = "person" if title else "nobody"
        if request.message:
            at: Message | None = self._shown(source.session, request.message)
        else:
            at = self._newest_finished(source.session)
        up_to, draft = 0, ""
        if at is not None:
            is_question = at.role == "user"
            up_to, draft = (at.message - 1, at.text) if is_question else (at.message, "")
        return self._tabs.fork(
            source, title, title_by=title_by, up_to=up_to, draft=draft, asker=asker
        )

    def _newest_finished(self, session: int) -> Message | None:
        messages = self._store.messages(session)
        finished = (one for one in reversed(messages) if one.state not in ("queued", "streaming"))
        return next(finished, None)

    def _pin(self, session: int, message: int, *, pinned: bool) -> None:
        self._shown(session, message)
        self._store.branches.pin(message, pinned=pinned)
        self._chats.pins_changed(session)
        view = message_view(self._store.message(message))
        text = self._turns.replies(session).get(message)
        if text is not None:
            view = msgspec.structs.replace(view, text=text)
        self._publish(MessageUpdated(session, view))

    def _changed(self, session: int, since: int) -> None:
        self._chats.of(session).take_branch()
        self._publish(self._transcripts.changed(session, since))

    # ------------------------------------------------------------ the queue

    def _reorder(self, session: int, turns: tuple[int, ...]) -> None:
        waiting = self._turns.waiting(session)
        if sorted(turns) != [turn.number for turn in waiting]:
            raise HostError(
                "The messages that wait in this tab are others by now; look at them and try again."
            )
        if any(turn.record.question.attachments for turn in waiting):
            raise HostError(
                "A message that waits with attachments keeps its place; withdraw it and send it "
                "again to have it answered later."
            )
        by_number = {turn.number: turn for turn in waiting}
        texts = [by_number[number].record.question.text for number in turns]
        self._asking.rephrase(
            {
                turn: text
                for turn, text in zip(waiting, texts, strict=True)
                if turn.record.question.text != text
            }
        )

    def _waiting(self, session: int, message: int) -> RunningTurn | None:
        """The turn whose question `message` waits for its first word."""
        return next(
            (
                turn
                for turn in self._turns.waiting(session)
                if turn.record.question.message == message
            ),
            None,
        )

    # ------------------------------------------------------------ what must hold

    def _shown(self, session: int, message: int) -> Message:
        if not self._store.branches.is_shown(session, message):
            raise HostError(
                "This message is not on the branch that is shown; another terminal may have "
                "changed it. Look again."
            )
        return self._store.message(message)

    def _question_of(self, session: int, message: int) -> int:
        """The question of an exchange; `message` is that, or the reply to it."""
        found = self._shown(session, message)
        while found.role != "user":
            if not found.parent:
                raise HostError("This reply has no question to be asked again.")
            found = self._store.message(found.parent)
        return found.message

    def _must_be_idle(self, session: int, what: str) -> None:
        if self._turns.of(session):
            raise HostError(
                f"This tab cannot {what} while a reply is being written or waits; "
                "wait for it, or stop it first."
            )

    async def _end_running(self, session: int, newest: int) -> None:
        """Stop the running reply, which is kept; raise when more messages wait behind it.

        What follows is put aside on another branch, so no question may be newer than `newest`;
        0 stands for what is there now.
        """
        seen = newest or self._store.branches.last_question(session)
        self._must_have_seen_all(session, seen)
        turns = self._turns.of(session)
        if len(turns) > 1:
            raise HostError(
                "More messages wait in this tab, behind the reply that is being written; "
                "cancel them first."
            )
        for turn in turns:
            turn.stop()
            await turn.ended()
        # Other terminals have not stood still meanwhile.
        self._tabs.must_be_open(session)
        self._must_have_seen_all(session, seen)

    def _must_have_seen_all(self, session: int, seen: int) -> None:
        if self._store.branches.last_question(session) > seen:
            raise HostError(
                "Another terminal has sent a message into this tab meanwhile; look at it, then "
                "ask again."
            )

    def _note_change(self, session: int, since: int) -> None:
        """Forget a summary that covers what will no longer be shown."""
        is_outdated = self._store.conversation(session).summary.up_to >= since
        if is_outdated:
            self._store.set_summary(session, "", up_to=0)
        self._on_others_shown(session, is_outdated)
