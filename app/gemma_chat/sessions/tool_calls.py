"""Carrying out the calls of one reply: side by side, and each has a result on every way out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from gemma_chat.engine.interface import ToolCall
from gemma_chat.errors import ToolError
from gemma_chat.sessions.history import Outcome, ToolResult, well_formed
from gemma_chat.sessions.tool_policy import ToolPolicy
from gemma_chat.tools.tool import Tool, bounded

log = logging.getLogger(__name__)

REFUSED: Final = "The person did not allow this call."
STOPPED: Final = "This call was stopped before it had a result."


class ToolCalls:
    """The calls of one reply while they are carried out.

    Each is asked for permission, run with a time limit, and its result bounded: in characters by
    the policy, in tokens by `cut`. `stop` ends all of them at once: a tool is told that it is
    cancelled, but not waited for.
    """

    def __init__(
        self,
        calls: Sequence[ToolCall],
        tools: Sequence[Tool],
        policy: ToolPolicy,
        cut: Callable[[str], str],
        on_result: Callable[[ToolCall, ToolResult], None],
    ) -> None:
        """Begin. `cut` shortens a result that takes too much of the context.

        `on_result` is called with each result as soon as there is one.
        """
        self._calls = calls
        self._cut = cut
        self._tools = {tool.name: tool for tool in tools}
        self._policy = policy
        self._on_result = on_result
        self._results: dict[str, ToolResult] = {}
        self._stopped = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._carry_out(call), name=f"call of {call.name}")
            for call in calls
        ]

    def stop(self) -> None:
        """Give up what has no result yet; again is fine."""
        self._stopped.set()
        for task in self._tasks:
            task.cancel()

    async def results(self) -> tuple[ToolResult, ...]:
        """Wait for all, or for `stop`; returns a result for each, in the order of the calls."""
        stopped = asyncio.create_task(self._stopped.wait())
        running = set(self._tasks)
        try:
            while running and not stopped.done():
                await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
                running = {task for task in running if not task.done()}
        finally:
            stopped.cancel()
            self.stop()
        for call in self._calls:
            if call.id not in self._results:
                self._settle(call, STOPPED, "stopped")
        return tuple(self._results[call.id] for call in self._calls)

    async def _carry_out(self, call: ToolCall) -> None:
        tool = self._tools.get(call.name)
        if call.error or tool is None:
            self._settle(call, call.error or f"There is no tool {call.name}.", "failed")
        elif not await self._policy.permits(call):
            self._settle(call, REFUSED, "refused")
        elif not self._stopped.is_set():
            await self._run(call, tool)

    async def _run(self, call: ToolCall, tool: Tool) -> None:
        run = asyncio.ensure_future(tool.run(call.arguments))
        run.add_done_callback(_heard)
        try:
            # Unlike wait_for this does not wait for a tool that will not be cancelled.
            await asyncio.wait({run}, timeout=self._policy.seconds)
        finally:
            run.cancel()
        if not run.done():
            limit = f"{self._policy.seconds:g} seconds"
            self._settle(
                call, f"{call.name} had no result after {limit} and was given up.", "failed"
            )
        elif run.cancelled():
            self._settle(call, f"{call.name} was cancelled from within.", "failed")
        elif (error := run.exception()) is not None:
            self._settle(call, _sentence(call, error), "failed")
        else:
            self._settle(call, run.result(), "answered")

    def _settle(self, call: ToolCall, text: str, outcome: Outcome) -> None:
        """The first result of a call counts."""
        if call.id in self._results:
            return
        text = self._cut(bounded(well_formed(text), self._policy.max_result_characters))
        result = ToolResult(call.id, text, outcome)
        self._results[call.id] = result
        self._on_result(call, result)


def _sentence(call: ToolCall, error: BaseException) -> str:
    if isinstance(error, ToolError):
        return str(error)
    log.error("the tool %s failed unexpectedly", call.name, exc_info=error)
    return f"{call.name} failed unexpectedly ({type(error).__name__})."


def _heard(task: asyncio.Future[str]) -> None:
    """Whatever a tool that was given up says later is of no interest."""
    if not task.cancelled():
        task.exception()
