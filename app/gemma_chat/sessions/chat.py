"""A chat: a session whose history can be stored, restored and watched."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Unpack

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.engine.interface import Media
from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.history import HistoryMessage
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.session import Message, OverflowListener, Session
from gemma_chat.sessions.turn import Turn


class Chat:
    """A conversation over a session of its own.

    Its `history` is what `InferenceModel.open_chat` takes to go on later. When the window
    overflows, the oldest exchanges stay in the history, are left out of the prompt, and the
    listeners of `subscribe` are told.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        """The session underneath."""

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
        sampling: SamplingSettings | None = None,
        media: Sequence[Media] = (),
        **rules: Unpack[ReplyRules],
    ) -> Turn:
        """Queue a turn and return at once; see `Session.start_turn`."""
        return self.session.start_turn(text, sampling=sampling, media=media, **rules)

    def continue_response(self, *, sampling: SamplingSettings | None = None) -> Turn:
        """Queue a turn that writes on at the last reply; see `Session.continue_response`."""
        return self.session.continue_response(sampling=sampling)

    def rephrase(self, questions: Mapping[int, str]) -> bool:
        """Let waiting turns ask something else; see `Session.rephrase`."""
        return self.session.rephrase(questions)

    async def get_response(self, text: str | None = None, **rules: Unpack[ReplyRules]) -> str:
        """Ask and wait for the whole reply; see `Session.get_response`."""
        return await self.session.get_response(text, **rules)

    def get_response_async(
        self, text: str | None = None, **rules: Unpack[ReplyRules]
    ) -> AsyncGenerator[Piece, None]:
        """Ask and give the reply in pieces; see `Session.get_response_async`."""
        return self.session.get_response_async(text, **rules)

    def anticipate(self, draft: str = "") -> None:
        """Evaluate ahead while nobody waits; see `Session.anticipate`."""
        self.session.anticipate(draft)

    def stop_generation(self) -> Awaitable[None]:
        """End the oldest unfinished turn; see `Session.stop_generation`."""
        return self.session.stop_generation()

    async def fork(self) -> Chat:
        """A chat with the same history and settings that shares the evaluated prefix."""
        return Chat(await self.session.fork())

    async def rewind(self, turn: int) -> None:
        """Go back to the end of turn number `turn`; see `Session.rewind`."""
        await self.session.rewind(turn)

    async def go_to(self, history: Iterable[HistoryMessage]) -> None:
        """Go on from another history; see `Session.go_to`."""
        await self.session.go_to(history)

    async def close(self) -> None:
        """Close the session underneath; twice is fine."""
        await self.session.close()

    async def __aenter__(self) -> Chat:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
