"""Whether the calls of a model may be carried out: what a person said once, or is asked now.

A question belongs to its tab and waits there until it is answered, or its turn is stopped, whoever
is attached. Every terminal sees it; the first answer counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gemma_chat.config.tools import ToolSettings
from gemma_chat.engine.interface import ToolCall
from gemma_chat.host.protocol import ToolAnswer, ToolQuestion

MAX_SHOWN_ARGUMENTS: Final = 4_000


@dataclass(frozen=True, slots=True)
class _Asked:
    view: ToolQuestion
    answer: asyncio.Future[ToolAnswer]


class ToolQuestions:
    """The open questions of all tabs."""

    def __init__(
        self,
        settings: Callable[[int], ToolSettings],
        remember: Callable[[int, ToolSettings], None],
        changed: Callable[[int], None],
    ) -> None:
        """`settings` are those of a tab; `remember` changes them after a lasting answer.

        `changed` is called when the questions of a tab are others than before.
        """
        self._settings = settings
        self._remember = remember
        self._changed = changed
        self._asked: dict[int, dict[int, _Asked]] = {}
        self._last = 0

    def of(self, session: int) -> tuple[ToolQuestion, ...]:
        """The open questions of a tab, oldest first."""
        return tuple(asked.view for asked in self._asked.get(session, {}).values())

    async def permit(self, session: int, call: ToolCall) -> bool:
        """Whether this call of a tab's model may be carried out; waits for a person's answer."""
        settings = self._settings(session)
        if call.name in settings.allowed:
            return True
        if call.name in settings.denied:
            return False
        return await self._ask(session, call) != "never"

    def answer(self, session: int, question: int, answer: ToolAnswer) -> None:
        """Answer a question. One that is not open any more stays as it was answered."""
        asked = self._asked.get(session, {}).get(question)
        if asked is None or asked.answer.done():
            return
        asked.answer.set_result(answer)
        if answer == "once":
            return
        tool = asked.view.name
        for other in self._asked[session].values():
            if other.view.name == tool and not other.answer.done():
                other.answer.set_result(answer)
        self._remember(session, self._settings(session).remembering(tool, answer))

    async def _ask(self, session: int, call: ToolCall) -> ToolAnswer:
        self._last += 1
        number = self._last
        asked = _Asked(
            ToolQuestion(number, call.name, call.arguments[:MAX_SHOWN_ARGUMENTS]),
            asyncio.get_running_loop().create_future(),
        )
        questions = self._asked.setdefault(session, {})
        questions[number] = asked
        self._changed(session)
        try:
            return await asked.answer
        finally:
            del questions[number]
            if not questions:
                self._asked.pop(session, None)
            self._changed(session)
