"""What sessions and chats have in common: asking for a reply as a whole or in pieces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable
from typing import Self, Unpack

from gemma_chat.sessions.events import Piece
from gemma_chat.sessions.options import ReplyRules
from gemma_chat.sessions.turn import EndOf, ReplyStream, stopped_on_the_way_out


class Answering(ABC):
    """Somebody who can be asked. A turn ends with whoever waits for it."""

    @property
    @abstractmethod
    def turns(self) -> tuple[ReplyStream, ...]:
        """The turns that are not finished, oldest first."""

    @abstractmethod
    def start_turn(self, text: str | None = None, **rules: Unpack[ReplyRules]) -> ReplyStream:
        """Queue a turn and return at once."""

    @abstractmethod
    async def close(self) -> None:
        """Stop the running turn, withdraw the queued ones, give the memory back."""

    async def get_response(self, text: str | None = None, **rules: Unpack[ReplyRules]) -> str:
        """Ask, wait for the lock and for the whole reply.

        A stopped turn gives its partial text. Cancelling the wait stops the turn. With a
        `json_schema` the text parses and fits it, unless the turn ended with the reason `length`
        or was stopped; `metrics.finish_reason` tells.

            reply = await session.get_response("Name a colour.", json_schema={"enum": ["red"]})
        """
        with stopped_on_the_way_out(self.start_turn(text, **rules)) as turn:
            return (await turn.finished()).text_or_raise()

    async def get_response_async(
        self, text: str | None = None, **rules: Unpack[ReplyRules]
    ) -> AsyncGenerator[Piece, None]:
        """Ask, and give the reply in pieces as they become final.

        The turn is queued by the first step of the iteration, and stopped when the iteration is
        given up. A stopped turn ends normally. The calls that a chat carries out and their results
        are pieces too, of the kinds `tool_call` and `tool_result`.

            async for piece in session.get_response_async("What is the sea?"):
                if piece.kind == "text":
                    print(piece, end="")
        """
        with stopped_on_the_way_out(self.start_turn(text, **rules)) as turn:
            async for piece in turn:
                yield piece
            (await turn.finished()).text_or_raise()

    def stop_generation(self) -> Awaitable[None]:
        """End the oldest unfinished turn, queued or running, its calls too; nothing else.

        Acts at once; awaiting the answer waits until the turn has ended. Idle or closed: nothing.

            turn = session.start_turn("Count to a thousand.")
            await session.stop_generation()
            print(turn.result.reason, turn.text)
        """
        oldest = next(iter(self.turns), None)
        if oldest is not None:
            oldest.stop()
        return EndOf(oldest)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
