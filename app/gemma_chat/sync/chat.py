"""A chat without `await`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings
from gemma_chat.engine.interface import Media, ToolChoice
from gemma_chat.sessions.chat import Chat as AsyncChat
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.tool_policy import ToolPolicy
from gemma_chat.sync.conversation import Conversation
from gemma_chat.sync.loop import LoopThread
from gemma_chat.sync.session import Session
from gemma_chat.sync.turn import ChatTurn, Turn, wrapped
from gemma_chat.tools.tool import Tool


class Chat(Conversation[AsyncChat]):
    """`gemma_chat.Chat` without `await`.

    with model.open_chat(tools=[weather]) as chat:
        print(chat.get_response("How is the weather in Oslo?"))
    """

    def __init__(self, chat: AsyncChat, loop: LoopThread) -> None:
        """Open chats with `InferenceModel.open_chat`, not with this."""
        super().__init__(chat, loop)
        self.session = Session(chat.session, loop)
        """The session underneath."""

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What the model may call in turns that are asked from now on; can be set at any time."""
        return self._asked.tools

    @tools.setter
    def tools(self, tools: Sequence[Tool]) -> None:
        self._asked.tools = tuple(tools)

    @property
    def tool_policy(self) -> ToolPolicy:
        """How calls are carried out in turns that are asked from now on; can be set."""
        return self._asked.tool_policy

    @tool_policy.setter
    def tool_policy(self, policy: ToolPolicy) -> None:
        self._asked.tool_policy = policy

    @property
    def turns(self) -> tuple[Turn | ChatTurn, ...]:
        """The turns that are not finished, oldest first."""
        return tuple(wrapped(turn, self._loop) for turn in self._asked.turns)

    def start_turn(
        self,
        text: str | None = None,
        *,
        tool_choice: ToolChoice = "auto",
        sampling: SamplingSettings | None = None,
        media: Sequence[Media] = (),
        **rules: Unpack[ReplyRules],
    ) -> Turn | ChatTurn:
        """Queue a turn and return at once; see `gemma_chat.Chat.start_turn`."""
        turn = self._loop.call(
            lambda: self._asked.start_turn(
                text, tool_choice=tool_choice, sampling=sampling, media=media, **rules
            )
        )
        return wrapped(turn, self._loop)

    def fork(self) -> Chat:
        """A chat with the same history, settings and tools that shares the evaluated prefix."""
        return Chat(self._loop.run(self._asked.fork()), self._loop)
