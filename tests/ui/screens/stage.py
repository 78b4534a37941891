"""The program on a scripted host, at a size, with a pilot at its keys and all clocks at rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from tests.ui.screens.picture import Shot
from tests.ui.scripted import make_app, screen_text
from tests.ui.stored_conversations import StoringLink
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.themes import LEAST_CONTRAST

Scene = Callable[["Stage"], Awaitable[None]]
"""Brings the program to a screen."""
NOW = 1_800_000_000.0
"""What every clock of the day says while pictures are taken."""
PATIENCE = 60.0
"""Seconds."""
SENT = ("What is a tab?", "Explain how bread rises, in a list.", "Write a poem about the sea.")


TALKS = {
    31: ("The sea", ("How deep is the sea?", "Eleven kilometres.")),
    32: ("Birds", ("Sing!", "Tweet.")),
    33: ("Code", ("print", "```python\nprint(1)\n```", "thanks", "Welcome.")),
}
"""The chats that were closed."""


class StageLink(StoringLink):
    """Its chats were used some days ago, the later ones earlier."""

    def __init__(self) -> None:
        super().__init__(TALKS)
        self.open = set()

    def hold(self, view: p.SessionView, *messages: p.MessageView) -> None:
        """This tab has these messages."""
        self.stored[view.session] = messages
        self.titles[view.session] = view.title
        self.open.add(view.session)

    def _view(self, session: int) -> p.ConversationView:
        view = super()._view(session)
        return msgspec.structs.replace(view, updated=NOW - (session % 30) * 26 * 3_600)


class Stage:
    """What a scene is played with."""

    def __init__(self, app: ChatApp, link: StageLink, pilot: Pilot[None]) -> None:
        self.app = app
        self.link = link
        self.pilot = pilot

    @property
    def text(self) -> str:
        """What stands on the screen now."""
        return screen_text(self.app)

    async def press(self, *keys: str) -> None:
        """Press these keys, and wait until all is drawn."""
        await self.pilot.press(*keys)
        await self.settle()

    async def happens(self, *events: p.Event) -> None:
        """The host says this."""
        for event in events:
            self.link.event(event)
        await self.settle()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that takes its time."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await self.pilot.pause(0.01)
        await self.settle()

    async def settle(self) -> None:
        """Let what was asked and told arrive and be drawn."""
        for _ in range(5):
            await self.pilot.pause()
        transcript = self.app.window.transcript
        while transcript is not None and transcript._flush_timer is not None:
            await self.pilot.pause(0.01)

    async def shot(self) -> Shot:
        """The screen as it stands."""
        await self.settle()
        return Shot.of(self.app)

    def faint(self, shot: Shot) -> list[str]:
        """The rows with letters that are hard to read, of what no dialog stands before."""
        screen = self.app.screen
        return [
            f"{shot.text[y]}: {ink}"
            for y, x, ink in shot.letters()
            if ink.contrast < LEAST_CONTRAST and screen.get_widget_at(x, y)[0] is not screen
        ]


@asynccontextmanager
async def stage(size: tuple[int, int], theme: str) -> AsyncIterator[Stage]:
    """The program, with nothing told to it yet."""
    link = StageLink()
    sent = SentMessages()
    for text in SENT:
        sent.add(text)
    app = make_app(link, theme=theme, sent=sent)
    async with app.run_test(size=size, notifications=True) as pilot:
        played = Stage(app, link, pilot)
        await played.settle()
        yield played
