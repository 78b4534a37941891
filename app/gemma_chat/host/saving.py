"""When a streaming reply is put down: soon after its text came, and never in its way.

Text waits at most `SAVE_SECONDS` before it is handed to the store, and not at all for the save
before it to be finished: what comes while the disk is slow goes with the next save, as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from gemma_chat.errors import StoreError
from gemma_chat.store.records import Aside

SAVE_SECONDS: Final = 0.5
"""How long a reply may be in memory only, beside the time that the disk takes."""

Save = Callable[[str, tuple[Aside, ...] | None], Awaitable[None]]
"""Puts text at the end of the reply and, unless they are `None`, replaces its asides."""


class ReplySaver:
    """Collects what is new of one reply and has it saved, one save at a time."""

    def __init__(self, save: Save, on_error: Callable[[StoreError], None]) -> None:
        self._save = save
        self._on_error = on_error
        self._text: list[str] = []
        self._asides: tuple[Aside, ...] | None = None
        self._due: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        self._began = 0.0
        self._over = False

    def add(self, text: str) -> None:
        """The reply has more text."""
        self._text.append(text)
        self._save_within(SAVE_SECONDS)

    def replace_asides(self, asides: tuple[Aside, ...]) -> None:
        """The thoughts and calls of the reply are these now."""
        self._asides = asides
        self._save_within(SAVE_SECONDS)

    async def end(self) -> None:
        """Wait for the save under way; what was not handed over yet is left to the caller."""
        self._over = True
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._saving is not None:
            await asyncio.wait([self._saving])

    def _save_within(self, seconds: float) -> None:
        if self._due is None and self._saving is None and not self._over:
            self._due = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._due = None
        self._began = asyncio.get_running_loop().time()
        self._saving = asyncio.create_task(self._put_down(), name="save-reply")
        self._saving.add_done_callback(self._ended)

    async def _put_down(self) -> None:
        count, asides = len(self._text), self._asides
        try:
            await self._save("".join(self._text), asides)
        except StoreError as error:
            # It stays, and is tried again.
            self._on_error(error)
            return
        del self._text[:count]
        if self._asides is asides:
            self._asides = None

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._saving = None
        if self._text or self._asides is not None:
            # What came while the disk was slow has waited already.
            passed = asyncio.get_running_loop().time() - self._began
            self._save_within(max(0.0, SAVE_SECONDS - passed))
