"""One turn of a tab on its way: waiting for a model, queued, running, ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from gemma_chat.errors import GemmaChatError, StoreError
from gemma_chat.host.protocol import FinishReason, TurnMetrics
from gemma_chat.host.turn_record import Outcome, TurnRecord
from gemma_chat.host.views import turn_metrics
from gemma_chat.sessions.chat_turn import ChatTurn
from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.turn import Turn

UNFORESEEN: Final = "The host failed at this turn; `gemma-chat host log` says why. Ask again."

_log = logging.getLogger(__name__)


class RunningTurn:
    """Drives one turn from the stored question to its end, whichever way it ends."""

    def __init__(
        self,
        record: TurnRecord,
        start: Callable[[], Awaitable[Turn | ChatTurn]],
        on_end: Callable[[RunningTurn, Outcome], None],
        *,
        on_calling: Callable[[], None],
    ) -> None:
        """Set the turn going.

        `start` puts it into the queue of the model, and may wait for a model before; `on_end` is
        called once, between the last change of a message and the event of the end; `on_calling`
        whenever `calling` is another.
        """
        self.record = record
        self.since = time.monotonic()
        """When it was asked for, by `time.monotonic`."""
        self._start = start
        self._on_end = on_end
        self._on_calling = on_calling
        self._calling: dict[str, str] = {}
        self._turn: Turn | ChatTurn | None = None
        self._reason: Literal["stopped", "closed"] | None = None
        self._take_back: Callable[[], None] | None = None
        self._starting = asyncio.create_task(self._begin())
        self._running = asyncio.create_task(
            self._run(), name=f"turn-{record.session}-{record.turn}"
        )

    @property
    def session(self) -> int:
        """The conversation."""
        return self.record.session

    @property
    def number(self) -> int:
        """Its number in the conversation."""
        return self.record.turn

    @property
    def engine_key(self) -> tuple[int, int] | None:
        """What the model calls it, its own session and turn; `None` before it is queued there."""
        turn = self._turn
        return None if turn is None or not turn.number else (turn.session, turn.number)

    @property
    def calling(self) -> tuple[str, ...]:
        """The tools whose calls have no result yet."""
        return tuple(self._calling.values())

    @property
    def needs_model(self) -> bool:
        """Whether the model that is loaded has it in its queue or answers it."""
        return self._turn is not None

    @property
    def waits(self) -> bool:
        """Whether it is a new question that has not begun to be answered."""
        return self.record.kind == "ask" and self.record.question.state == "queued"

    def rephrase(self, text: str) -> None:
        """Ask something else; the model has been told, when it is queued there."""
        self.record.rephrase(text)
        if isinstance(self._turn, ChatTurn):
            self._turn.rephrase(text)

    def stop(self) -> None:
        """End it, keeping what there is of the reply. Again is fine."""
        self._end("stopped")

    def withdraw(self, take_back: Callable[[], None]) -> None:
        """End it with nothing left of it: `take_back` removes its messages, or raises `StoreError`.

        Then it ends as if it had been stopped.
        """
        self._take_back = take_back
        self.stop()

    @property
    def withdrawn(self) -> bool:
        """Whether its messages are to be removed."""
        return self._take_back is not None

    def interrupt(self) -> None:
        """As `stop`, but because the host leaves: nobody wanted it."""
        self._end("closed")

    def _end(self, reason: Literal["stopped", "closed"]) -> None:
        self._reason = self._reason or reason
        if self._turn is not None:
            self._turn.stop()
        else:
            self._starting.cancel()

    async def ended(self) -> None:
        """Wait until it has ended and everything about it is stored."""
        await asyncio.wait([self._running])

    async def _run(self) -> None:
        try:
            outcome = await self._outcome()
        except GemmaChatError as error:
            outcome = Outcome("failed", TurnMetrics(finish_reason="failed"), str(error))
        except Exception:
            _log.exception("turn %d of conversation %d failed", self.number, self.session)
            outcome = Outcome("failed", TurnMetrics(finish_reason="failed"), UNFORESEEN)
        self._settle(outcome)
        self.record.tell_end(outcome)

    def _settle(self, outcome: Outcome) -> None:
        """It is over, whatever goes wrong with its messages: the tab must not wait for it."""
        try:
            if not self._is_taken_back():
                self.record.settle(outcome)
        except Exception:
            _log.exception("the messages of turn %d of %d", self.number, self.session)
        try:
            self._on_end(self, outcome)
        except Exception:
            _log.exception("the end of turn %d of conversation %d", self.number, self.session)

    def _is_taken_back(self) -> bool:
        if self._take_back is None:
            return False
        try:
            self._take_back()
        except StoreError as error:
            _log.error("turn %d of %d cannot be withdrawn: %s", self.number, self.session, error)
            return False
        self.record.abandon()
        return True

    async def _begin(self) -> Turn | ChatTurn:
        # Set here, in one go with queueing: the events of the lock must find it.
        self._turn = await self._start()
        return self._turn

    async def _outcome(self) -> Outcome:
        outcome = await self._outcome_on_one_model()
        while outcome.reason == "closed" and self._reason is None and self._never_begun:
            # Its model was replaced before it had the lock: the next one answers.
            self._turn = None
            self._starting = asyncio.create_task(self._begin())
            outcome = await self._outcome_on_one_model()
        return outcome

    @property
    def _never_begun(self) -> bool:
        return self.record.question.state == "queued"

    async def _outcome_on_one_model(self) -> Outcome:
        await asyncio.wait([self._starting])
        if self._starting.cancelled():
            reason = self._reason or "stopped"
            return Outcome(reason, TurnMetrics(finish_reason=reason))
        turn = self._starting.result()
        if self._reason is not None:
            turn.stop()
        try:
            async for piece in turn:
                self._follow_call(piece)
                self.record.add(piece)
        finally:
            # Without effect after the end; else the store failed, and nobody would hear the rest.
            turn.stop()
            self._calling.clear()
        result = await turn.finished()
        error = "" if result.error is None else str(result.error)
        interrupted = result.reason == "stopped" and self._reason == "closed"
        ended: FinishReason = "closed" if interrupted else result.reason
        metrics = msgspec.structs.replace(turn_metrics(result.metrics), model=self.record.model)
        return Outcome(ended, metrics, error, result.kept)

    def _follow_call(self, piece: Piece) -> None:
        if piece.call is None:
            return
        if piece.kind == "tool_call":
            self._calling[piece.call.id] = piece.call.name
        else:
            self._calling.pop(piece.call.id, None)
        self._on_calling()
