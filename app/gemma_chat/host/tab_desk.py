"""What terminals ask about single tabs: open, ask, read, change, close."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from gemma_chat.host.conversations import Conversations
from gemma_chat.host.current_settings import CurrentSettings
from gemma_chat.host.drafts import Drafts
from gemma_chat.host.limits import checked_draft, checked_group, checked_title
from gemma_chat.host.lock_board import LockBoard
from gemma_chat.host.protocol import (
    AnswerTool,
    ChangeSettings,
    CloseSession,
    Context,
    Done,
    FetchMessages,
    MarkRead,
    Messages,
    Opened,
    OpenSession,
    Queued,
    RenameSession,
    ReopenSession,
    Reply,
    SaveDraft,
    SaveScroll,
    SendMessage,
    ShowContext,
    StopTurn,
    Summarize,
)
from gemma_chat.host.replacing import context_view
from gemma_chat.host.summaries import Summaries
from gemma_chat.host.uploads import checked_uploads
from gemma_chat.host.views import stored_scroll
from gemma_chat.store.store import Store

LONG_DRAFT: Final = 1500
"""Characters of a draft from which on it is evaluated while it stands in the input box."""

_OpenTabRequest = (
    AnswerTool
    | StopTurn
    | CloseSession
    | Summarize
    | SaveScroll
    | SaveDraft
    | ChangeSettings
    | MarkRead
)
TabRequest = (
    OpenSession
    | ReopenSession
    | SendMessage
    | FetchMessages
    | ShowContext
    | RenameSession
    | _OpenTabRequest
)


class TabDesk:
    """Carries out requests about one tab, and has the model warm up for what they change."""

    def __init__(
        self,
        store: Store,
        conversations: Conversations,
        drafts: Drafts,
        summaries: Summaries,
        board: LockBoard,
        settings: CurrentSettings,
    ) -> None:
        self._store = store
        self._conversations = conversations
        self._tabs = conversations.tabs
        self._drafts = drafts
        self._summaries = summaries
        self._board = board
        self._settings = settings

    async def answer(self, request: TabRequest, asker: int) -> Reply:
        """Carry `request` out for the client with pid `asker`."""
        match request:
            case OpenSession():
                return Opened(request.id, self._open(request, asker))
            case ReopenSession():
                await self._reopen(request.session, asker)
                return Opened(request.id, request.session)
            case SendMessage():
                return await self._send(request, asker)
            case FetchMessages():
                return self._messages(request)
            case ShowContext():
                return await self._show_context(request)
            case RenameSession():
                self._rename(request.session, checked_title(request.title))
                self._tabs.tell(request.session, asker)
            case CloseSession() if request.session in self._tabs.passing(asker):
                await self.delete((request.session,))
            case _:
                self._tabs.must_be_open(request.session)
                self._change(request, asker)
        return Done(request.id)

    async def delete(self, sessions: Sequence[int]) -> None:
        """Delete conversations for good, with all that is kept about their tabs."""
        for session in sessions:
            self._summaries.forget(session)
        await self._conversations.delete(sessions)
        for session in sessions:
            self._drafts.forget(session)

    def warm_up(self, session: int, draft: str = "") -> None:
        """Evaluate what the next turn of a tab begins with, where `engine.anticipate` is on."""
        if self._settings.known.engine.anticipate:
            self._conversations.idle_work.warm_up(session, draft)

    def make_room(self, session: int) -> None:
        """Prepare a tab for a full context, where that is wanted."""
        if self._settings.known.engine.anticipate:
            self._conversations.idle_work.make_room(session)

    def _open(self, request: OpenSession, asker: int) -> int:
        settings = request.settings or self._settings.read_defaults()
        title = checked_title(request.title)
        if request.place != "tab":
            passing = request.place == "passing"
            return self._tabs.open_aside(title, settings, passing=passing, client=asker)
        group = checked_group(request.group)
        session = self._tabs.open(title, settings, asker, group=group)
        if settings.system_instruction:
            self.warm_up(session)
        return session

    async def _reopen(self, session: int, asker: int) -> None:
        await self._conversations.reopen(session, asker)
        if not self._store.conversation(session).context_used:
            self._conversations.idle_work.measure(session)
        self._board.changed()

    async def _send(self, request: SendMessage, asker: int) -> Queued:
        files = request.attachments
        checked = await asyncio.to_thread(checked_uploads, files) if files else ()
        turn = self._conversations.asking.send(
            request.session, request.text, asker, after=request.after, files=checked
        )
        return Queued(request.id, request.session, turn)

    def _messages(self, request: FetchMessages) -> Messages:
        messages, more = self._conversations.transcripts.page(
            request.session,
            before=request.before,
            limit=request.limit,
            since=request.since,
            branches=request.branches,
        )
        return Messages(request.id, request.session, messages, more)

    async def _show_context(self, request: ShowContext) -> Context:
        context = await self._conversations.chats.context(request.session)
        return context_view(request.id, self._store, request.session, context)

    def _rename(self, session: int, title: str) -> None:
        self._store.rename(session, title, by="person" if title else "nobody")
        if not title and self._tabs.is_shown(session):
            self._summaries.schedule(session)
        self._board.changed()

    def _change(self, request: _OpenTabRequest, asker: int) -> None:
        session = request.session
        match request:
            case StopTurn():
                self._conversations.asking.stop(session, request.turn)
                return
            case AnswerTool():
                questions = self._conversations.questions
                questions.answer(session, request.question, request.answer)
                return
            case CloseSession():
                self._summaries.forget(session)
                self._conversations.close(session)
                self._drafts.forget(session)
                return
            case Summarize():
                self._summaries.run_now(session)
                return
            case SaveScroll():
                # Each terminal has a place of its own: nobody else is told.
                self._store.set_scroll(session, stored_scroll(request.scroll))
                return
            case SaveDraft():
                draft = checked_draft(request.text)
                is_new = self._drafts.save(session, asker, draft, request.begun)
                if is_new and len(draft) >= LONG_DRAFT:
                    self.warm_up(session, draft)
                if not is_new:
                    return
            case ChangeSettings():
                self._conversations.set_settings(session, request.settings)
                self.warm_up(session)
            case MarkRead():
                known = self._store.conversation(session)
                if not (known.unread or known.failed):
                    # Another terminal was quicker.
                    return
                self._store.set_unread(session, unread=False)
                self._store.set_failed(session, failed=False)
        self._tabs.tell(session, asker)
