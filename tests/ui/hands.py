"""What a person does at the input, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.ui.scripted import PATIENCE, ScriptedLink, screen_text
from textual.pilot import Pilot

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp

NAMES = {" ": "space", "/": "slash", "@": "at", ".": "full_stop", "_": "underscore", "-": "minus"}


async def write(pilot: Pilot[None], text: str) -> None:
    """Type it, key by key, and let everything settle."""
    await pilot.press(*(NAMES.get(character, character) for character in text))
    await settle(pilot)


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait for what a timer brings, such as streamed text."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await pilot.pause()


async def shows(pilot: Pilot[None], *words: str) -> None:
    """Wait until all these words stand on the screen."""
    app = pilot.app
    assert isinstance(app, ChatApp)
    await until(pilot, lambda: all(word in screen_text(app) for word in words))


async def settle(pilot: Pilot[None]) -> None:
    """Let everything that was begun come to its end."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def text_of(app: ChatApp) -> str:
    """What stands in the input."""
    return app.window.composer.editor.text


def changed(link: ScriptedLink) -> SessionSettings:
    """The settings that the host was asked to take over last."""
    return link.asked(p.ChangeSettings)[-1].settings
