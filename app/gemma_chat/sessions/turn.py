"""One question and its reply, as whoever asked sees it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from gemma_chat.engine.interface import ToolCall
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.events import LockEntry, Piece, TurnPhase, TurnResult
from gemma_chat.sessions.job import TurnJob
from gemma_chat.terms import FinishReason

StopJob = Callable[[TurnJob, FinishReason, GemmaChatError | None], None]


class ReplyStream(ABC):
    """A reply that is coming. Iterating over it gives its pieces, from the first.

    A piece is text that is final, of the answer (`kind` "text") or of what the model thinks
    ("thinking"), a whole call of a tool ("tool_call"), or its result ("tool_result").

    The iteration ends normally however the turn ends; `finished` tells how it did. Giving up the
    iteration does not stop the turn, `stop` does.
    """

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._result: TurnResult | None = None
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def text(self) -> str:
        """The answer so far, without thinking and calls."""
        return "".join(piece for piece in self._pieces if piece.kind == "text")

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls made so far."""
        calls = (piece.call for piece in self._pieces if piece.kind == "tool_call")
        return tuple(call for call in calls if call is not None)

    @property
    def result(self) -> TurnResult | None:
        """How it ended, once it has."""
        return self._result

    @abstractmethod
    def stop(self) -> None:
        """End it, keeping what there is; does nothing when it has ended."""

    async def finished(self) -> TurnResult:
        """Wait for the end, whichever it is. Giving up the wait does not stop the turn."""
        while self._result is None:
            await self._change()
        return self._result

    async def __aiter__(self) -> AsyncIterator[Piece]:
        seen = 0
        while True:
            while seen < len(self._pieces):
                seen += 1
                yield self._pieces[seen - 1]
            if self._result is not None:
                return
            await self._change()

    def add(self, piece: Piece) -> None:
        """More of the reply has come. On the loop."""
        self._pieces.append(piece)
        self._wake()

    def end(self, result: TurnResult) -> None:
        """The turn is over. On the loop."""
        self._result = result
        self._wake()

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Turn(ReplyStream):
    """A turn that was queued.

    turn = session.start_turn("What is the sea?")
    async for piece in turn:
        print(piece, end="")
    print((await turn.finished()).reason)
    """

    def __init__(self, job: TurnJob, stop: StopJob) -> None:
        super().__init__()
        self._job = job
        self._stop = stop

    @property
    def job(self) -> TurnJob:
        """The turn as the engine thread sees it."""
        return self._job

    @property
    def session(self) -> int:
        """The number of its session."""
        return self._job.session

    @property
    def number(self) -> int:
        """Its place among the questions of its session, growing, never used again.

        A turn that goes on after the results of calls has the number of its question.
        """
        return self._job.number

    @property
    def question(self) -> str:
        """What was asked; empty when it goes on after results."""
        return self._job.question

    @property
    def state(self) -> TurnPhase:
        """What it is doing now: `queued`, `prefill`, `generating` or `finished`."""
        return self._job.phase

    @property
    def progress(self) -> LockEntry:
        """Its figures now."""
        return self._job.entry()

    def stop(self) -> None:
        """End it, queued or running, keeping what there is; does nothing when it has ended."""
        self._stop(self._job, "stopped", None)

    def close(self, error: GemmaChatError) -> None:
        """Its session is being closed: as `stop`, and while it waits it fails with `error`."""
        self._stop(self._job, "closed", error)


AnyTurn = TypeVar("AnyTurn", bound=ReplyStream)


@contextmanager
def stopped_on_the_way_out(turn: AnyTurn) -> Iterator[AnyTurn]:
    """Whoever waits for `turn` may be cancelled or thrown away; the turn ends with them."""
    try:
        yield turn
    finally:
        turn.stop()


class EndOf:
    """Awaits the end of a turn, if there is one. Unlike a coroutine it may be thrown away."""

    def __init__(self, turn: ReplyStream | None) -> None:
        self._turn = turn

    def __await__(self) -> Generator[Any, None, None]:
        if self._turn is not None:
            yield from self._turn.finished().__await__()
