"""A chat: a session whose history can be stored, restored and watched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Media, ToolChoice
from gemma_chat.errors import GemmaChatError, SettingsError
from gemma_chat.sessions.answering import Answering
from gemma_chat.sessions.chat_turn import ChatTurn
from gemma_chat.sessions.context_view import ContextView
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.metrics import SessionTotals, TurnMetrics
from gemma_chat.sessions.options import ReplyRules, following
from gemma_chat.sessions.overflow import OverflowListener
from gemma_chat.sessions.question import Message
from gemma_chat.sessions.replacement import Digest, Replacement
from gemma_chat.sessions.session import Session
from gemma_chat.sessions.tool_policy import DEFAULT_POLICY, ToolPolicy
from gemma_chat.sessions.turn import Turn
from gemma_chat.terms import MediaKind
from gemma_chat.tools.tool import Tool


class Chat(Answering):
    """A conversation over a session of its own.

    Its `history` is what `InferenceModel.open_chat` takes to go on later. When the window
    overflows, the oldest exchanges stay in the history, are left out of the prompt, and the
    listeners of `subscribe` are told.

        chat = await model.open_chat(tools=[weather])
        print(await chat.get_response("How is the weather in Oslo?"))
        again = await model.open_chat(history=chat.history, tools=[weather])
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
        self._last_whole = (session.metrics, session.metrics)
        """The figures of the last reply of the last turn with tools, and of that whole turn."""
        self.tools = tuple(tools)
        session.when_closed(self._session_closed)

    @property
    def id(self) -> int:
        """The number of its session."""
        return self.session.id

    @property
    def background(self) -> bool:
        """Whether its turns run only while no other session waits."""
        return self.session.background

    @property
    def modalities(self) -> tuple[MediaKind, ...]:
        """What it takes beside text."""
        return self.session.modalities

    @property
    def closed(self) -> bool:
        """Whether `close` was called, on it, its session or the model."""
        return self.session.closed

    @property
    def metrics(self) -> TurnMetrics:
        """The figures of the last finished turn; with tools, of all its replies together."""
        step, whole = self._last_whole
        return whole if step is self.session.metrics else self.session.metrics

    @property
    def totals(self) -> SessionTotals:
        """The sums over all turns; each reply of a turn with tools counts as one."""
        return self.session.totals

    @property
    def context_used(self) -> int:
        """Tokens of the window this conversation takes, a running reply included."""
        return self.session.context_used

    def size_in_tokens(self, text: str) -> int:
        """The number of tokens of `text`; see `Session.size_in_tokens`."""
        return self.session.size_in_tokens(text)

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

    @property
    def replacements(self) -> tuple[Replacement, ...]:
        """What was decided whenever the window was full; see `Session.replacements`."""
        return self.session.replacements

    @property
    def digest(self) -> Digest:
        """The summary for when the window is full; see `Session.digest`."""
        return self.session.digest

    @digest.setter
    def digest(self, digest: Digest) -> None:
        self.session.digest = digest

    def context(self) -> ContextView:
        """What the model sees; see `Session.context`."""
        return self.session.context()

    def subscribe(self, listener: OverflowListener) -> Callable[[], None]:
        """Call `listener` when exchanges are left out; see `Session.subscribe`."""
        return self.session.subscribe(listener)

    async def add_query_chunk(self, chunk: str | Message) -> None:
        """Collect a part of the next question; see `Session.add_query_chunk`."""
        if isinstance(chunk, Message) and chunk.role == "assistant":
            self._must_be_idle("be told of a reply")
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
        turn.when_ended(self._turn_ended)
        return turn

    def _turn_ended(self, turn: ChatTurn) -> None:
        self._turns.remove(turn)
        if turn.result is not None:
            self._last_whole = (self.session.metrics, turn.result.metrics)

    def continue_response(self, *, sampling: SamplingSettings | None = None) -> Turn:
        """Queue a turn that writes on at the last reply; see `Session.continue_response`."""
        self._must_be_idle("continue a reply")
        return self.session.continue_response(sampling=sampling)

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns ask something else; see `Session.rephrase`."""
        return self.session.rephrase(questions)

    def warm_up(self, draft: str = "") -> None:
        """Evaluate what the next turn begins with; see `Session.warm_up`."""
        if not self._turns:
            self.session.warm_up(draft)

    async def make_room(self) -> bool:
        """Prepare for a full window while nobody waits; see `Session.make_room`."""
        return not self._turns and await self.session.make_room()

    async def fork(self) -> Chat:
        """A chat with the same history, settings and tools; see `Session.fork`."""
        return Chat(await self.session.fork(), self._tools, self.tool_policy)

    async def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; see `Session.rewind`."""
        self._must_be_idle("go back")
        await self.session.rewind(turn)

    async def go_to(
        self, history: Iterable[HistoryMessage], replacements: Iterable[Replacement] = ()
    ) -> None:
        """Go on from another history; see `Session.go_to`."""
        self._must_be_idle("take another branch")
        await self.session.go_to(history, replacements)

    async def close(self) -> None:
        """Close the session underneath and end all calls; see `Session.close`."""
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
