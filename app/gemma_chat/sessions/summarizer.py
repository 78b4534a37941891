"""The background session that writes summaries and titles while no person waits.

It is a session like any other, on the background lane of the generation lock: its turn gives way
to every foreground turn and goes on where it was. Between two jobs it is rewound to nothing, so
that one conversation never reaches the summary of another. A long conversation is read stretch by
stretch, oldest first, each into the summary so far; other conversations come between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.events import TurnResult
from gemma_chat.sessions.invented_titles import is_invented, is_small
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.session import Session
from gemma_chat.sessions.summary import (
    SummarizerSettings,
    Summary,
    SummaryJob,
    SummaryMessage,
    SummaryQuestion,
    clean_summary,
    clean_title,
    newest,
    question_for,
    said_by_user,
    title_question_for,
    whole_sentences,
)
from gemma_chat.sessions.turn import Turn

log = logging.getLogger(__name__)


class Summarizer:
    """Works on one conversation at a time, in the order in which they were scheduled.

    `on_result` gets every finished summary, also those of stretches, and `on_change` is called
    whenever `current`, `pending` or `paused` changed; both on the event loop.

        summarizer = Summarizer(model, on_result=lambda summary: print(summary.title, summary.text))
        await summarizer.start()
    """

    def __init__(
        self,
        model: InferenceModel,
        *,
        on_result: Callable[[Summary], None],
        on_change: Callable[[], None] | None = None,
        settings: SummarizerSettings | None = None,
    ) -> None:
        self.settings = settings or SummarizerSettings()
        """Can be set at any time; holds from the next job."""
        self._model = model
        self._on_result = on_result
        self._on_change = on_change or _nothing
        self._session: Session | None = None
        self._pending: dict[Hashable, SummaryJob] = {}
        self._current: SummaryJob | None = None
        self._turn: Turn | None = None
        self._given_up = False
        self._paused = False
        self._work = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what is shown

    @property
    def session(self) -> Session | None:
        """The background session, once `start` has opened it."""
        return self._session

    @property
    def current(self) -> Hashable | None:
        """The key of the conversation it works on now."""
        return self._current.key if self._current is not None else None

    @property
    def pending(self) -> tuple[Hashable, ...]:
        """The keys of the conversations that wait, in order."""
        return tuple(self._pending)

    @property
    def paused(self) -> bool:
        """Whether `pause` was called."""
        return self._paused

    # ------------------------------------------------------------ orders

    async def start(self) -> None:
        """Open the background session and begin to work.

        Raises `SessionLimitError` when the model has no place for one more session.
        """
        if self._runner is None:
            self._session = await self._model.open_session(
                settings=self.settings.session, background=True
            )
            self._runner = asyncio.create_task(self._run(self._session), name="summarizer")

    async def close(self) -> None:
        """Give up the current job and close the session; twice is fine."""
        self._pending.clear()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait({runner})
        if self._session is not None:
            await self._session.close()

    def schedule(
        self,
        key: Hashable,
        messages: Iterable[SummaryMessage],
        *,
        previous: str = "",
        needs_title: bool = False,
    ) -> None:
        """Bring the summary `previous` of conversation `key` up to date with `messages`.

        What was scheduled before for `key` and has not begun is replaced, in its place. Without
        a message that says something there is nothing to do.
        """
        told = newest(messages)
        if not told:
            return
        self._pending[key] = SummaryJob(key, told, previous, needs_title)
        self._changed()

    def cancel(self, key: Hashable) -> None:
        """Forget conversation `key`, also while it is being worked on."""
        waited = self._pending.pop(key, None) is not None
        running = self._current is not None and self._current.key == key
        if running:
            self._give_up()
        if waited or running:
            self._changed()

    def pause(self) -> None:
        """Stop working; the current job goes back to the head of the queue."""
        if self._paused:
            return
        self._paused = True
        if self._current is not None and not self._given_up:
            rest = self._pending
            job = rest.pop(self._current.key, self._current)
            self._pending = {job.key: job, **rest}
            self._give_up()
        self._changed()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._paused:
            self._paused = False
            self._changed()

    def _give_up(self) -> None:
        self._given_up = True
        if self._turn is not None:
            self._turn.stop()

    def _changed(self) -> None:
        self._work.set()
        try:
            self._on_change()
        except Exception:
            log.exception("the listener of the summarizer failed")

    # ------------------------------------------------------------ the work

    async def _run(self, session: Session) -> None:
        while not session.closed:
            if self._paused or not self._pending:
                self._work.clear()
                await self._work.wait()
                continue
            await self._take(session)

    async def _take(self, session: Session) -> None:
        """Do the first pending job. Whatever goes wrong with it is logged and costs only it."""
        job = self._pending.pop(next(iter(self._pending)))
        self._current, self._given_up = job, False
        self._changed()
        summary = None
        try:
            summary = await self._summarize(session, job)
        except GemmaChatError as error:
            log.warning("no summary for %r: %s", job.key, error)
        except Exception:
            log.exception("summarizing %r failed unexpectedly", job.key)
        finally:
            self._current = self._turn = None
        if summary is not None:
            self._deliver(summary, job)
        self._changed()

    def _deliver(self, summary: Summary, job: SummaryJob) -> None:
        rest, waiting = job.after(summary), self._pending.get(summary.key)
        if waiting is not None:
            # What goes on from another summary than this one, which is not whole, keeps to that.
            follows = rest is None or waiting.begins_with(rest)
            rest = waiting.after(summary) if follows else waiting
        if rest is not None:
            self._pending[summary.key] = rest
        else:
            self._pending.pop(summary.key, None)
        try:
            self._on_result(summary)
        except Exception:
            log.exception("the receiver of summaries failed")

    async def _summarize(self, session: Session, job: SummaryJob) -> Summary | None:
        """Write the summary and, if asked for, the title; `None` when given up or empty."""
        settings = self.settings
        await session.rewind(0)
        # Not on the loop: a server may take a moment to count.
        question = await asyncio.to_thread(self._question, session, settings, job)
        reply = await self._ask(session, settings.for_summary, question.text)
        if reply is None:
            return None
        text = clean_summary(reply.text)
        if reply.reason == "length":
            text = whole_sentences(text)
        if not text:
            return None
        title = await self._title(session, settings, job) if job.needs_title else None
        if self._given_up:
            return None
        is_whole = question.up_to == job.messages[-1].number
        return Summary(job.key, text, question.up_to, title, is_whole)

    def _question(
        self, session: Session, settings: SummarizerSettings, job: SummaryJob
    ) -> SummaryQuestion:
        budget = self._model.description.context_size // 2
        budget -= session.size_in_tokens(settings.session.system_instruction)
        return question_for(job, budget=budget, count=session.size_in_tokens)

    async def _title(
        self, session: Session, settings: SummarizerSettings, job: SummaryJob
    ) -> str | None:
        await session.rewind(0)
        question = await asyncio.to_thread(
            title_question_for, job, settings.title_question, session.size_in_tokens
        )
        reply = await self._ask(session, settings.for_title, question)
        title = clean_title(reply.text) if reply is not None else None
        if title is None or not is_small(self._model.description.parameters):
            return title
        said = said_by_user(job)
        return clean_title(said[0]) if is_invented(title, " ".join(said)) else title

    async def _ask(
        self, session: Session, settings: SessionSettings, question: str
    ) -> TurnResult | None:
        """One turn; `None` when it did not come to its own end."""
        if self._given_up:
            return None
        session.settings = settings
        self._turn = session.start_turn(question)
        try:
            result = await self._turn.finished()
        finally:
            self._turn.stop()
        result.text_or_raise()
        return result if result.reason in ("stop", "length") else None


def _nothing() -> None:
    """Nobody listens."""
