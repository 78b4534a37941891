"""Warm-ups: what a session evaluates while nobody waits, before its next turn is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from functools import partial

from gemma_chat.engine.interface import SequenceHandle
from gemma_chat.sessions.conversation import Conversation, WarmUpOwner
from gemma_chat.sessions.engine_thread import EngineThread
from gemma_chat.sessions.events import TurnResult
from gemma_chat.sessions.job import Report, TurnJob
from gemma_chat.sessions.question import question_text
from gemma_chat.sessions.replacement import Replacement


class WarmUps:
    """Warms up the prompt of a session's next turn, and that of a window made room in.

    At most one warm-up counts at a time; one that was given up may take a moment to end.
    """

    def __init__(
        self,
        session: int,
        sequence: SequenceHandle,
        conversation: Conversation,
        engine_thread: EngineThread,
        *,
        may_begin: Callable[[], bool],
        on_prepared: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """`may_begin` says whether the session is open and none of its turns is unfinished.

        `on_prepared` is called when all that is expected has been evaluated, then `on_end` when
        a warm-up has ended in whichever way.
        """
        self._session = session
        self._sequence = sequence
        self._conversation = conversation
        self._engine_thread = engine_thread
        self._may_begin = may_begin
        self._on_prepared = on_prepared
        self._on_end = on_end
        self._current: TurnJob | None = None
        self._unfinished: set[TurnJob] = set()

    @property
    def unfinished(self) -> bool:
        """Whether a warm-up has not ended, one that was given up included."""
        return bool(self._unfinished)

    def begin(self, draft: str) -> None:
        """Evaluate what a turn whose question begins with `draft` begins with, if it may be."""
        self.give_up()
        if not self._may_begin():
            return
        job = TurnJob(
            owner=WarmUpOwner(self._conversation),
            session=self._session,
            number=0,
            background=True,
            sequence=self._sequence,
            question=question_text(draft),
            purpose="warm-up",
        )
        job.receive = partial(self._receive, job)
        self._engine_thread.submit(job)
        self._current = job
        self._unfinished.add(job)

    def give_up(self) -> None:
        """End the warm-up, because a turn is asked or the conversation becomes another."""
        job, self._current = self._current, None
        if job is not None:
            self._engine_thread.stop(job, "stopped")

    async def make_room(self) -> bool:
        """Plan what a window that is nearly full leaves out, and evaluate what remains.

        Returns whether there is something to prepare.
        """
        conversation = self._conversation
        before = (conversation.exchanges, conversation.replacements)
        if not self._may_begin():
            return False
        # A copy: a turn may be asked meanwhile and change the conversation in mid-plan.
        plan = await asyncio.to_thread(self._plan, copy(conversation))
        unchanged = before == (conversation.exchanges, conversation.replacements)
        if not self._may_begin() or not unchanged:
            return False
        conversation.prepared = plan
        if plan is not None:
            self.begin("")
        return plan is not None

    def _plan(self, conversation: Conversation) -> Replacement | None:
        with self._engine_thread.reading():
            return conversation.plan()

    def _receive(self, job: TurnJob, report: Report) -> None:
        if isinstance(report, TurnResult):
            self._unfinished.discard(job)
            if job is self._current and report.reason == "stop":
                self._current = None
                self._on_prepared()
            self._on_end()
