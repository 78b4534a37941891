"""A chat: a session whose history can be stored, restored and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Media, ToolChoice
from gemma_chat.errors import GemmaChatError, SettingsError
from gemma_chat.sessions.chat_turn import ChatTurn
from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.options import ReplyRules, following
from gemma_chat.sessions.session import Message, OverflowListener, Session
from gemma_chat.sessions.tool_policy import DEFAULT_POLICY, ToolPolicy
from gemma_chat.sessions.turn import EndOf, Turn, stopped_on_the_way_out
from gemma_chat.tools.tool import Tool


class Chat:
    """A conversation over a session of its own.

    Its `history` is what `InferenceModel.open_chat` takes to go on later. When the window
    overflows, the oldest exchanges stay in the history, are left out of the prompt, and the
    listeners of `subscribe` are told.
    """

    def __init__(
        self, session: Session, tools: Sequence[Tool] = (), policy: ToolPolicy = DEFAULT_POLICY
    ) -> None:
        """Open chats with `InferenceModel.open_chat`, not with this."""
        self.session = session
        """The session underneath."""
        self.tool_policy = policy
        """How calls are carried out in turns that are asked from now on; can be set."""
        self._tools: tuple[Tool, ...] = ()
        self._turns: list[ChatTurn] = []
        self.tools = tuple(tools)
        session.when_closed(self._session_closed)

    @property
    def id(self) -> int:
        """The number of its session."""
        return self.session.id

    @property
    def settings(self) -> SessionSettings:
        """What holds for the turns that begin from now on; can be set at any time."""
        return self.session.settings

    @settings.setter
    def settings(self, settings: SessionSettings) -> None:
        self.session.settings = settings

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What the model may call in turns that are asked from now on; can be set at any time."""
        return self._tools

    @tools.setter
    def tools(self, tools: Sequence[Tool]) -> None:
        self.session.tools = [tool.spec for tool in tools]
        self._tools = tuple(tools)

    @property
    def turns(self) -> tuple[Turn | ChatTurn, ...]:
        """The turns that are not finished, oldest first."""
        steps = {turn.step for turn in self._turns}
        return (*(turn for turn in self.session.turns if turn not in steps), *self._turns)

    @property
    def history(self) -> tuple[HistoryMessage, ...]:
        """All messages of whole exchanges, oldest first."""
        return self.session.history

    @property
    def left_out(self) -> int:
        """How many of the oldest exchanges the model no longer sees."""
        return self.session.left_out

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener` when exchanges are left out; returns the way to stop that."""
        return self.session.subscribe(listener)

    async def add_query_chunk(self, chunk: str | Message) -> None:
        """Collect a part of the next question; see `Session.add_query_chunk`."""
        await self.session.add_query_chunk(chunk)

    def start_turn(
        self,
        text: str | None = None,
        *,
        tool_choice: ToolChoice = "auto",
        sampling: SamplingSettings | None = None,
        media: Sequence[Media] = (),
        **rules: Unpack[ReplyRules],
    ) -> Turn | ChatTurn:
        """Queue a turn and return at once; see `Session.start_turn`.

        With tools, the calls of the model are carried out and it goes on from their results until
        it answers. A question that is asked meanwhile waits for the end of that. `tool_choice`
        holds for the first reply, and a `grammar` or `json_schema` for each.
        """
        if not self._tools and not self._turns:
            return self.session.start_turn(
                text, tool_choice=tool_choice, sampling=sampling, media=media, **rules
            )
        following(self.settings.sampling, rules)
        if tool_choice == "required":
            self._must_have_tools()
        turn = ChatTurn(
            self.session,
            self.session.take_question(text, media),
            self._tools,
            self.tool_policy,
            tool_choice,
            rules,
            sampling=sampling,
            after=tuple(self._turns),
        )
        self._turns.append(turn)
        turn.when_ended(self._turns.remove)
        return turn

    def continue_response(self, *, sampling: SamplingSettings | None = None) -> Turn:
        """Queue a turn that writes on at the last reply; see `Session.continue_response`."""
        self._must_be_idle("continue a reply")
        return self.session.continue_response(sampling=sampling)

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns ask something else; see `Session.rephrase`."""
        return self.session.rephrase(questions)

    async def get_response(self, text: str | None = None, **rules: Unpack[ReplyRules]) -> str:
        """Ask and wait for the whole answer; see `Session.get_response`."""
        with stopped_on_the_way_out(self.start_turn(text, **rules)) as turn:
            return (await turn.finished()).text_or_raise()

    async def get_response_async(
        self, text: str | None = None, **rules: Unpack[ReplyRules]
    ) -> AsyncGenerator[Piece, None]:
        """Ask and give the reply in pieces; see `Session.get_response_async`.

        With tools, calls and their results are pieces too, of the kinds `tool_call` and
        `tool_result`.
        """
        with stopped_on_the_way_out(self.start_turn(text, **rules)) as turn:
            async for piece in turn:
                yield piece
            (await turn.finished()).text_or_raise()

    def anticipate(self, draft: str = "") -> None:
        """Evaluate ahead while nobody waits; see `Session.anticipate`."""
        if not self._turns:
            self.session.anticipate(draft)

    def stop_generation(self) -> Awaitable[None]:
        """End the oldest unfinished turn, its calls too; see `Session.stop_generation`."""
        oldest = next(iter(self.turns), None)
        if oldest is not None:
            oldest.stop()
        return EndOf(oldest)

    async def fork(self) -> Chat:
        """A chat with the same history and settings that shares the evaluated prefix."""
        return Chat(await self.session.fork(), self._tools, self.tool_policy)

    async def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; see `Session.rewind`."""
        self._must_be_idle("go back")
        await self.session.rewind(turn)

    async def go_to(self, history: Iterable[HistoryMessage]) -> None:
        """Go on from another history; see `Session.go_to`."""
        self._must_be_idle("take another branch")
        await self.session.go_to(history)

    async def close(self) -> None:
        """Close the session underneath and end all calls; twice is fine."""
        await self.session.close()
        await asyncio.gather(*(turn.finished() for turn in self._turns))

    def _session_closed(self) -> None:
        try:
            self.session.must_be_open()
        except GemmaChatError as error:
            for turn in tuple(self._turns):
                turn.close(error)

    def _must_be_idle(self, what: str) -> None:
        if self._turns:
            raise GemmaChatError(
                f"Session {self.id} cannot {what} while a turn is not finished; stop it first."
            )

    def _must_have_tools(self) -> None:
        if not self._tools:
            raise SettingsError(
                f"tool_choice = 'required' is not possible: session {self.id} has no tools. "
                "Give it some, or choose 'auto'."
            )

    async def __aenter__(self) -> Chat:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
