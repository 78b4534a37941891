"""What a person does at the input, and what came of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from tests.ui.scripted import PATIENCE, ScriptedLink, screen_text
from textual.pilot import Pilot

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp

NAMES = {" ": "space", "/": "slash", "@": "at", ".": "full_stop", "_": "underscore", "-": "minus"}

TURNS_OF_THE_LOOP = 500
"""Enough for everything that waits for nothing outside."""

Taken = ParamSpec("Taken")
Given = TypeVar("Given")


class HeldBack(Generic[Taken, Given]):
    """A function that a thread calls for the program: it begins, and does no more until let go."""

    def __init__(self, function: Callable[Taken, Given]) -> None:
        self._function = function
        self._loop = asyncio.get_running_loop()
        self._begun = asyncio.Event()
        self._let_go = threading.Event()

    def __call__(self, *arguments: Taken.args, **more: Taken.kwargs) -> Given:
        self._loop.call_soon_threadsafe(self._begun.set)
        assert self._let_go.wait(PATIENCE)
        return self._function(*arguments, **more)

    async def let_go(self) -> None:
        """Let it go when it has begun and all was done meanwhile that does not wait for it."""
        async with asyncio.timeout(PATIENCE):
            await self._begun.wait()
        for _ in range(TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)
        self._let_go.set()


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
