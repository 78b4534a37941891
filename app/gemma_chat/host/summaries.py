"""The summarizer among the tabs: when it is asked, and where its results go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.config.settings import SummarizerSettings
from gemma_chat.errors import GemmaChatError, HostError
from gemma_chat.host.context import exchanges_of
from gemma_chat.host.protocol import SummarizerView
from gemma_chat.sessions import summary as notes
from gemma_chat.sessions.model import InferenceModel
from gemma_chat.sessions.summarizer import Summarizer
from gemma_chat.store.records import Message, ToolUse
from gemma_chat.store.store import Store

MOST_MESSAGES: Final = 4000
"""Older ones are not looked at, so that reading them never holds the host up."""
_PAGE: Final = 200

_MOST_OF_RESULT: Final = 200
"""Characters of the result of a call."""

_log = logging.getLogger(__name__)


class Summaries:
    """Schedules a summary some time after each reply, on whichever model is loaded."""

    def __init__(
        self,
        store: Store,
        settings: SummarizerSettings,
        *,
        on_view: Callable[[SummarizerView], None],
        on_result: Callable[[int], None],
    ) -> None:
        """`on_view` hears how the summarizer stands, `on_result` whose summary is new."""
        self._store = store
        self._settings = settings
        self._on_view = on_view
        self._on_result = on_result
        self._paused = settings.paused
        self._summarizer: Summarizer | None = None
        self._due: dict[int, asyncio.TimerHandle] = {}
        self._switching: asyncio.Task[None] | None = None
        self._told = self.view

    @property
    def view(self) -> SummarizerView:
        """How the summarizer stands."""
        summarizer = self._summarizer
        current = None if summarizer is None else summarizer.current
        return SummarizerView(
            enabled=self._settings.enabled,
            paused=self._paused,
            session=current if isinstance(current, int) else 0,
            pending=()
            if summarizer is None
            else tuple(key for key in summarizer.pending if isinstance(key, int)),
        )

    def use(self, model: InferenceModel | None) -> None:
        """Work on this model from now on; what waited for another one is given up."""
        old, self._summarizer = self._summarizer, None
        if model is not None:
            self._summarizer = Summarizer(
                model,
                on_result=self._deliver,
                on_change=self._changed,
                settings=_session_settings(self._settings),
            )
            if self._paused:
                self._summarizer.pause()
        before, new = self._switching, self._summarizer
        self._switching = asyncio.create_task(_switch(before, old, new), name="use-summarizer")
        self._changed()

    def schedule(self, session: int) -> None:
        """A reply was finished: bring the conversation up to date when `delay` has passed."""
        self._withdraw(session)
        if self._settings.enabled:
            loop = asyncio.get_running_loop()
            self._due[session] = loop.call_later(self._settings.delay, self._begin, session)

    def run_now(self, session: int) -> None:
        """Bring the conversation up to date at once, also when nothing of it is new.

        Raises `HostError` when there is no model, or the summarizer is paused.
        """
        if self._summarizer is None:
            raise HostError("There is no model to write a summary with; load one first.")
        if self._paused:
            raise HostError("The summarizer is paused; resume it first.")
        self._withdraw(session)
        self._ask(self._summarizer, session, again=True)

    def will_write(self, session: int) -> bool:
        """Whether a newer summary of a conversation is going to come by itself."""
        return session in self._due or session in self.view.pending or session == self.view.session

    def set_paused(self, *, paused: bool) -> None:
        """Pause, or go on."""
        self._paused = paused
        if self._summarizer is not None and paused:
            self._summarizer.pause()
        elif self._summarizer is not None:
            self._summarizer.resume()
        self._changed()

    def forget(self, session: int) -> None:
        """The tab is closed: its summary can wait until it is opened again."""
        self._withdraw(session)
        if self._summarizer is not None:
            self._summarizer.cancel(session)

    def begin_again(self, session: int, *, outdated: bool) -> None:
        """Other messages are shown: what is being written of those before is given up.

        `outdated`: a summary was there and is not any more.
        """
        view = self.view
        is_at_work = session == view.session or session in view.pending
        if is_at_work and self._summarizer is not None:
            self._summarizer.cancel(session)
        if is_at_work or outdated:
            self.schedule(session)

    async def close(self) -> None:
        """Stop working."""
        for session in tuple(self._due):
            self._withdraw(session)
        self.use(None)
        if self._switching is not None:
            await asyncio.wait([self._switching])

    def _withdraw(self, session: int) -> None:
        due = self._due.pop(session, None)
        if due is not None:
            due.cancel()

    def _begin(self, session: int) -> None:
        self._due.pop(session, None)
        if self._summarizer is None:
            return
        try:
            self._ask(self._summarizer, session, again=False)
        except GemmaChatError as error:
            _log.warning("no summary of conversation %d: %s", session, error)

    def _ask(self, summarizer: Summarizer, session: int, *, again: bool) -> None:
        conversation = self._store.conversation(session)
        needs_title = conversation.title_by == "nobody"
        covered = conversation.summary.up_to
        known = [
            notes.SummaryMessage(message.message, message.role, told_of(message))
            for exchange in exchanges_of(self._newest(session, 0 if again else covered))
            for message in (exchange.question, exchange.reply)
        ]
        new = [message for message in known if message.number > covered]
        if new:
            summarizer.schedule(
                session, new, previous=conversation.summary.text, needs_title=needs_title
            )
        elif known and (again or needs_title):
            summarizer.schedule(session, known, needs_title=needs_title)

    def _newest(self, session: int, covered: int) -> list[Message]:
        """The messages behind number `covered`, and some before them."""
        found = list(self._store.messages(session, limit=_PAGE))
        page = found
        while len(page) == _PAGE and page[0].message > covered and len(found) < MOST_MESSAGES:
            page = list(self._store.messages(session, before=page[0].message, limit=_PAGE))
            found[:0] = page
        return found

    def _deliver(self, summary: notes.Summary) -> None:
        if not isinstance(summary.key, int):
            return
        session = summary.key
        try:
            known = self._store.conversation(session)
            # One that is written anew, stretch by stretch, tells less than what is there.
            if summary.whole or summary.up_to >= known.summary.up_to:
                self._store.set_summary(session, summary.text, up_to=summary.up_to)
            # A person may have chosen a title while the summarizer thought about one.
            if summary.title and known.title_by != "person":
                self._store.rename(session, summary.title, by="summarizer")
            self._on_result(session)
        except GemmaChatError as error:
            _log.error("the summary of conversation %d: %s", session, error)

    def _changed(self) -> None:
        view = self.view
        if view != self._told:
            self._told = view
            self._on_view(view)


def told_of(message: Message) -> str:
    """What the summarizer is told of a message: its text, and in brackets what else there was."""
    files = [f"[{one.kind}: {one.name}]" for one in message.attachments]
    calls = [
        f"[called {one.name}: {one.result[:_MOST_OF_RESULT]}]"
        for one in message.asides
        if isinstance(one, ToolUse)
    ]
    return " ".join(part for part in (*files, *calls, message.text.strip()) if part)


def _session_settings(settings: SummarizerSettings) -> notes.SummarizerSettings:
    return notes.SummarizerSettings(
        session=SessionSettings(
            system_instruction=settings.system_instruction,
            sampling=settings.sampling(max_tokens=settings.max_tokens),
        ),
        summary_tokens=settings.max_tokens,
        title_tokens=settings.title_max_tokens,
        title_question=settings.title_instruction,
    )


async def _switch(
    before: asyncio.Task[None] | None, old: Summarizer | None, new: Summarizer | None
) -> None:
    if before is not None:
        await asyncio.wait([before])
    if old is not None:
        await old.close()
    if new is not None:
        try:
            await new.start()
        except GemmaChatError as error:
            _log.warning("the summarizer cannot work on this model: %s", error)
