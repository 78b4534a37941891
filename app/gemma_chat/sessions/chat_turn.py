"""One question to a chat with tools: reply, calls, results, and so on until there is an answer.

The generation lock is held for each reply by itself. While calls are carried out, or a person is
asked about them, other sessions generate.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import ToolCall, ToolChoice
from gemma_chat.errors import GemmaChatError
from gemma_chat.sessions.events import Piece, TurnPhase, TurnResult
from gemma_chat.sessions.history import ToolResult
from gemma_chat.sessions.metrics import TurnMetrics, together
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.question import Question
from gemma_chat.sessions.session import Session
from gemma_chat.sessions.tool_calls import ToolCalls
from gemma_chat.sessions.tool_policy import ToolPolicy
from gemma_chat.sessions.turn import ReplyStream, Turn
from gemma_chat.terms import FinishReason
from gemma_chat.tools.tool import Tool

log = logging.getLogger(__name__)

REPEATED = "This call was made just before with the same arguments; its result stands above."

ChatTurnPhase = TurnPhase | Literal["calling"]
"""`calling`: calls of the model are carried out, or wait for permission."""


class ChatTurn(ReplyStream):
    """A turn of a chat with tools.

    The model may make calls `max_tool_turns` times in a row; then, or when it makes the same calls
    as just before, it must answer without. The `text` of the result is what it said last; the
    pieces are all it said.

        turn = chat.start_turn("How is the weather in Oslo?")
        async for piece in turn:
            print(piece.kind, piece)
    """

    def __init__(
        self,
        session: Session,
        question: Question,
        tools: Sequence[Tool],
        policy: ToolPolicy,
        tool_choice: ToolChoice,
        rules: ReplyRules,
        *,
        sampling: SamplingSettings | None = None,
        after: Sequence[ReplyStream] = (),
    ) -> None:
        """Queue `question` as soon as all of `after` are finished: at once when there are none."""
        super().__init__()
        self._session = session
        self._question = question
        self._tools = tools
        self._policy = policy
        self._choice: ToolChoice = tool_choice
        self._sampling = sampling
        self._rules = rules
        self._turn: Turn | None = None
        self._calls: ToolCalls | None = None
        self._ended_by: Literal["stopped", "closed"] | None = None
        self._error: GemmaChatError | None = None
        self._metrics: list[TurnMetrics] = []
        self._kept = False
        self._on_end: Callable[[ChatTurn], None] = _nobody
        self._waiting: asyncio.Task[None] | None = None
        if after:
            self._waiting = asyncio.create_task(_ends(after))
        else:
            self._ask()
        self._running = asyncio.create_task(self._run(), name=f"chat turn of session {session.id}")

    @property
    def session(self) -> int:
        """The number of its session."""
        return self._session.id

    @property
    def number(self) -> int:
        """Its place among the questions of its session; 0 while an earlier one is not finished."""
        return 0 if self._turn is None else self._turn.number

    @property
    def question(self) -> str:
        """What was asked."""
        return self._question.text

    def rephrase(self, text: str) -> None:
        """Ask this instead, while an earlier turn is not finished; later does nothing."""
        if self._turn is None:
            self._question = replace(self._question, text=text)

    @property
    def state(self) -> ChatTurnPhase:
        """What it is doing now."""
        if self._result is not None:
            return "finished"
        if self._calls is not None:
            return "calling"
        return "queued" if self._turn is None else self._turn.state

    @property
    def step(self) -> Turn | None:
        """The turn of the session that generates or waits now, or did last."""
        return self._turn

    def when_ended(self, listener: Callable[[ChatTurn], None]) -> None:
        """Call `listener` once, when it ends."""
        self._on_end = listener

    def end(self, result: TurnResult) -> None:
        """The turn is over."""
        super().end(result)
        self._on_end(self)

    def stop(self) -> None:
        """End it, waiting, generating or calling, keeping what there is; later does nothing."""
        self._end_as("stopped")

    def close(self, error: GemmaChatError) -> None:
        """Its session is being closed: as `stop`, and while it waits it fails with `error`."""
        if self._turn is None:
            self._error = error
        self._end_as("closed")

    def _end_as(self, reason: Literal["stopped", "closed"]) -> None:
        if self._result is not None or self._ended_by is not None:
            return
        self._ended_by = reason
        if self._waiting is not None:
            self._waiting.cancel()
        if self._calls is not None:
            self._calls.stop()
        elif self._turn is not None:
            self._turn.stop()

    # ------------------------------------------------------------ its course

    def _ask(self) -> None:
        self._turn = self._session.ask(
            self._question, tool_choice=self._choice, sampling=self._sampling, **self._rules
        )

    async def _run(self) -> None:
        try:
            result = await self._course()
        except GemmaChatError as error:
            result = self._without_reply("failed", error)
        except asyncio.CancelledError:
            # Nobody else has this task: the loop itself is being taken down.
            self.end(self._without_reply("stopped"))
            raise
        except Exception as error:
            log.exception("a turn of session %d failed unexpectedly", self.session)
            what = f"The turn failed unexpectedly ({type(error).__name__}); ask again."
            result = self._without_reply("failed", GemmaChatError(what))
        self.end(result)

    async def _course(self) -> TurnResult:
        if self._waiting is not None:
            await asyncio.wait([self._waiting])
            if self._ended_by is not None:
                return self._without_reply(self._ended_by, self._error)
            self._ask()
        before: Sequence[tuple[str, str]] = ()
        for step in itertools.count(1):
            reply = await self._reply()
            if reply.reason != "tool_call":
                break
            made = [(call.name, call.arguments) for call in reply.tool_calls]
            repeated = made == before
            results = await self._results_of(reply.tool_calls, repeated=repeated)
            if self._ended_by is not None:
                self._session.answer_calls(results)
                reply = replace(reply, reason=self._ended_by)
                break
            must_answer = repeated or step >= self._policy.max_tool_turns
            self._go_on(results, "none" if must_answer else "auto")
            before = made
        metrics = together(self._metrics, reply.reason)
        return replace(reply, metrics=metrics, kept=self._kept, tool_calls=self.tool_calls)

    async def _reply(self) -> TurnResult:
        """What the model says next, in pieces and as a whole."""
        turn = self._turn
        assert turn is not None
        async for piece in turn:
            self.add(piece)
        result = await turn.finished()
        self._metrics.append(result.metrics)
        self._kept = self._kept or result.kept
        return result

    async def _results_of(
        self, calls: tuple[ToolCall, ...], *, repeated: bool
    ) -> tuple[ToolResult, ...]:
        if repeated:
            results = tuple(ToolResult(call.id, REPEATED, "refused") for call in calls)
            for call, result in zip(calls, results, strict=True):
                self._tell(call, result)
            return results
        cut = partial(self._session.cut_result, others=len(calls) - 1)
        self._calls = ToolCalls(calls, self._tools, self._policy, cut, self._tell)
        try:
            if self._ended_by is not None:
                self._calls.stop()
            return await self._calls.results()
        finally:
            self._calls = None

    def _tell(self, call: ToolCall, result: ToolResult) -> None:
        self.add(Piece.of_result(call, result))

    def _go_on(self, results: Sequence[ToolResult], tool_choice: ToolChoice) -> None:
        try:
            self._turn = self._session.start_turn(
                results=results, tool_choice=tool_choice, sampling=self._sampling, **self._rules
            )
        except GemmaChatError:
            # They belong into the history in any case, unless they are there already.
            with contextlib.suppress(GemmaChatError):
                self._session.answer_calls(results)
            raise

    def _without_reply(
        self, reason: FinishReason, error: GemmaChatError | None = None
    ) -> TurnResult:
        return TurnResult(
            reason,
            "",
            together(self._metrics, reason),
            error,
            self._kept,
            tool_calls=self.tool_calls,
        )


async def _ends(turns: Iterable[ReplyStream]) -> None:
    """Wait until all have ended."""
    for turn in turns:
        await turn.finished()


def _nobody(_: ChatTurn) -> None:
    """A turn whose end nobody asked for."""
