"""Turns without `await`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from gemma_chat.engine.interface import ToolCall
from gemma_chat.sessions.chat_turn import ChatTurn as AsyncChatTurn
from gemma_chat.sessions.chat_turn import ChatTurnPhase
from gemma_chat.sessions.events import LockEntry, Piece, TurnPhase, TurnResult
from gemma_chat.sessions.turn import Turn as AsyncTurn
from gemma_chat.sync.loop import LoopThread


class _Reply:
    """A reply that is coming. Iterating over it gives its pieces, from the first.

    The iteration ends normally however the turn ends; `finished` tells how it did. Giving up the
    iteration does not stop the turn, `stop` does.
    """

    def __init__(self, turn: AsyncTurn | AsyncChatTurn, loop: LoopThread) -> None:
        self._turn = turn
        self._loop = loop

    @property
    def session(self) -> int:
        """The number of its session."""
        return self._turn.session

    @property
    def number(self) -> int:
        """Its place among the questions of its session, growing, never used again."""
        return self._turn.number

    @property
    def question(self) -> str:
        """What was asked."""
        return self._turn.question

    @property
    def text(self) -> str:
        """The answer so far, without thinking and calls."""
        return self._turn.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls made so far."""
        return self._turn.tool_calls

    @property
    def result(self) -> TurnResult | None:
        """How it ended, once it has."""
        return self._turn.result

    def finished(self) -> TurnResult:
        """Wait for the end, whichever it is."""
        return self._turn.result or self._loop.run(self._turn.finished())

    def stop(self) -> None:
        """End it, keeping what there is; does nothing when it has ended."""
        if self._turn.result is None:
            self._loop.call(self._turn.stop)

    def __iter__(self) -> Iterator[Piece]:
        pieces = aiter(self._turn)
        while (piece := self._loop.run(next_piece(pieces))) is not None:
            yield piece


async def next_piece(pieces: AsyncIterator[Piece]) -> Piece | None:
    """The next piece; `None` behind the last one."""
    return await anext(pieces, None)


class Turn(_Reply):
    """`gemma_chat.Turn` without `await`: a turn that was queued.

    turn = session.start_turn("What is the sea?")
    for piece in turn:
        print(piece, end="")
    print(turn.finished().reason)
    """

    def __init__(self, turn: AsyncTurn, loop: LoopThread) -> None:
        """Turns come from `Session.start_turn`, not from this."""
        super().__init__(turn, loop)
        self._queued = turn

    @property
    def state(self) -> TurnPhase:
        """What it is doing now: `queued`, `prefill`, `generating` or `finished`."""
        return self._queued.state

    @property
    def progress(self) -> LockEntry:
        """Its figures now."""
        return self._queued.progress


class ChatTurn(_Reply):
    """`gemma_chat.ChatTurn` without `await`: a turn of a chat with tools."""

    def __init__(self, turn: AsyncChatTurn, loop: LoopThread) -> None:
        """Turns come from `Chat.start_turn`, not from this."""
        super().__init__(turn, loop)
        self._asked = turn

    @property
    def state(self) -> ChatTurnPhase:
        """As of a `Turn`, or `calling` while calls of the model are carried out."""
        return self._asked.state


def wrapped(turn: AsyncTurn | AsyncChatTurn, loop: LoopThread) -> Turn | ChatTurn:
    """The same turn without `await`."""
    return Turn(turn, loop) if isinstance(turn, AsyncTurn) else ChatTurn(turn, loop)
