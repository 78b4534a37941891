"""A session without `await`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import Media, ToolChoice, ToolSpec
from gemma_chat.sessions.history import ToolResult
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.session import Session as AsyncSession
from gemma_chat.sync.conversation import Conversation
from gemma_chat.sync.turn import Turn


class Session(Conversation[AsyncSession]):
    """`gemma_chat.Session` without `await`.

    with model.open_session(system_instruction="Answer as a pirate.") as session:
        print(session.get_response("What is the sea?"))
    """

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools the model is told of in turns that begin from now on; can be set."""
        return self._asked.tools

    @tools.setter
    def tools(self, tools: Sequence[ToolSpec]) -> None:
        self._asked.tools = tuple(tools)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that are not finished, oldest first."""
        return tuple(Turn(turn, self._loop) for turn in self._asked.turns)

    def start_turn(
        self,
        text: str | None = None,
        *,
        results: Sequence[ToolResult] | None = None,
        tool_choice: ToolChoice = "auto",
        sampling: SamplingSettings | None = None,
        media: Sequence[Media] = (),
        **rules: Unpack[ReplyRules],
    ) -> Turn:
        """Queue a turn and return at once; see `gemma_chat.Session.start_turn`.

        turn = session.start_turn("What time is it?")
        while (result := turn.finished()).reason == "tool_call":
            answers = [ToolResult(call.id, run(call)) for call in result.tool_calls]
            turn = session.start_turn(results=answers)
        """
        turn = self._loop.call(
            lambda: self._asked.start_turn(
                text,
                results=results,
                tool_choice=tool_choice,
                sampling=sampling,
                media=media,
                **rules,
            )
        )
        return Turn(turn, self._loop)

    def answer_calls(self, results: Sequence[ToolResult]) -> None:
        """Put the results of the newest calls into the history without going on from them."""
        self._asked.answer_calls(results)

    def fork(self) -> Session:
        """A session with the same history and settings that shares the evaluated prefix."""
        return Session(self._loop.run(self._asked.fork()), self._loop)
