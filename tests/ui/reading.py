"""A terminal that shows messages, and a cursor on one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.ui.scripted import ScriptedLink, make_app, message, tab
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp

CODE = "Here:\n\n```python\nprint(1)\n```\n\nand\n\n```\nsecond\n```\n"


TALK = (
    message(1, "What is the sea?"),
    message(2, "Wide.", role="assistant", branch=(2, 3)),
    message(3, "Show me code", turn=2),
    message(4, CODE, role="assistant", turn=2, state="stopped"),
)


WAITING = (
    message(5, "first", turn=3, state="queued"),
    message(7, "second", turn=4, state="queued"),
    message(9, "third", turn=5, state="queued"),
)


@asynccontextmanager
async def reading(
    *messages: p.MessageView, size: tuple[int, int] = (100, 40), **changes: object
) -> AsyncIterator[tuple[ChatApp, ScriptedLink, Pilot[None]]]:
    """A terminal that shows these messages in tab 1."""
    link = ScriptedLink()
    link.stored[1] = messages or TALK
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect((tab(1, "Pirate", message_count=4, **changes), tab(2, "Tutor")))
        await pilot.pause()
        await pilot.pause()
        yield app, link, pilot


async def select(pilot: Pilot[None], app: ChatApp, number: int) -> None:
    """Put the cursor on a message, as a person does."""
    await pilot.press("alt+up")
    await pilot.pause()
    for _ in app.state.tabs[0].conversation.messages:
        if app.state.selected != number:
            await pilot.press("up" if app.state.selected > number else "down")
            await pilot.pause()
    assert app.state.selected == number
