"""A conversation in the plain line mode, with a host that is played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from tests.ui.scripted import OWN, READY, ScriptedLink, message

from gemma_chat.config.library import Library
from gemma_chat.config.schema import PlainPieces
from gemma_chat.host import protocol as p
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.link import Inbox
from gemma_chat.ui.plain.options import PlainOptions
from gemma_chat.ui.plain.speech import Speech
from gemma_chat.ui.plain.terminal import PlainTerminal

PATIENCE = 30.0
"""Seconds; only a program that hangs takes as long."""
FIRST_TURN = 11
"""The number the scripted host gives the first turn that is asked for."""
FIGURES = p.TurnMetrics(generated_tokens=120, decode_tokens_per_second=31.4)


class Talk:
    """The terminal, what it has said, and the scripted host."""

    def __init__(self, *, pieces: PlainPieces = "words", state_dir: Path = Path()) -> None:
        self.link = ScriptedLink()
        self.pieces: list[str] = []
        options = PlainOptions(
            own=OWN, library=Library, sent=SentMessages(), state_dir=lambda: state_dir
        )
        self.terminal = PlainTerminal(
            self.link, Inbox(self.link), options, Speech(self.pieces.append, pieces)
        )

    @classmethod
    async def begun(
        cls,
        tabs: Iterable[p.SessionView] = (),
        *,
        model: p.ModelView = READY,
        lock: p.LockView | None = None,
        pieces: PlainPieces = "words",
        stored: dict[int, tuple[p.MessageView, ...]] | None = None,
        state_dir: Path = Path(),
    ) -> Talk:
        """One whose greeting is over."""
        talk = cls(pieces=pieces, state_dir=state_dir)
        talk.link.stored = stored or {}
        talk.link.connect(tabs, model=model, lock=lock)
        async with asyncio.timeout(PATIENCE):
            await talk.terminal.begin()
        talk.pieces.clear()
        return talk

    @property
    def said(self) -> str:
        """All that was said since the greeting."""
        return "".join(self.pieces)

    @property
    def lines(self) -> list[str]:
        """The same, line by line."""
        return self.said.splitlines()

    async def type(self, text: str) -> None:
        """Type this, and wait for all that it leads to."""
        async with asyncio.timeout(PATIENCE):
            await self.terminal.typed(text)
            await self.terminal.settled()

    async def ask(self, text: str) -> asyncio.Task[None]:
        """Send a question; what is done when its reply is there."""
        asked = len(self.link.asked(p.SendMessage))
        typing = asyncio.create_task(self.type(text))
        while len(self.link.asked(p.SendMessage)) == asked:
            await self.link.is_asked(p.SendMessage)
            await asyncio.sleep(0)
        return typing

    def reply(self, session: int, turn: int, *pieces: str, question: str = "?") -> None:
        """The host says: this is asked and answered, not to its end."""
        asked = message(10 * turn, question, turn=turn)
        begun = message(10 * turn + 1, "", role="assistant", turn=turn, state="streaming")
        for view in (asked, begun):
            self.link.event(p.MessageChanged(session, turn, view))
        self.go_on(session, turn, *pieces)

    def go_on(self, session: int, turn: int, *pieces: str, at: int = 0) -> None:
        """The host says: the reply goes on."""
        for piece in pieces:
            self.link.event(p.TurnText(session, turn, 10 * turn + 1, at, piece))
            at += len(piece)

    def finish(
        self, session: int, turn: int, reason: p.FinishReason = "stop", error: str = ""
    ) -> None:
        """The host says: the turn has ended."""
        self.link.event(p.TurnFinished(session, turn, reason, FIGURES, error))


def waiting(*sessions: int, holder: int = 0) -> p.LockView:
    """The lock, held by a turn of `holder`, with the first turns asked for in these waiting."""
    entries = [
        p.LockEntry(session, FIRST_TURN, "", ticket=number)
        for number, session in enumerate(sessions, 1)
    ]
    holds = p.LockEntry(holder, 1, "", phase="generating") if holder else None
    return p.LockView(holder=holds, waiting=tuple(entries))
