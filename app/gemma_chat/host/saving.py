"""When a streaming reply is put down: soon after its text came, and never in its way.

What is new waits at most `SAVE_SECONDS` before it is handed to the store, and the stream never
waits for the save: what comes while the disk is slow goes with the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from gemma_chat.errors import StoreError

SAVE_SECONDS: Final = 0.5
"""How long a reply may be in memory only, beside the time that the disk takes."""


class ReplySaver:
    """Has one reply saved while it grows, one save at a time."""

    def __init__(
        self, save: Callable[[], Awaitable[None]], on_error: Callable[[StoreError], None]
    ) -> None:
        """`save` puts down the reply as it is when it is called; it may be called again for the
        same. What it raises is told to `on_error`, and it is tried again."""
        self._save = save
        self._on_error = on_error
        self._due: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        self._began = 0.0
        self._unsaved = False
        self._over = False

    def changed(self) -> None:
        """The reply has more than before."""
        self._unsaved = True
        self._save_within(SAVE_SECONDS)

    def end(self) -> None:
        """The reply is finished by others: begin no save any more."""
        self._over = True
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _save_within(self, seconds: float) -> None:
        if self._due is None and self._saving is None and not self._over:
            self._due = asyncio.get_running_loop().call_later(seconds, self._begin)

    def _begin(self) -> None:
        self._due = None
        self._began = asyncio.get_running_loop().time()
        self._saving = asyncio.create_task(self._put_down(), name="save-reply")
        self._saving.add_done_callback(self._ended)

    async def _put_down(self) -> None:
        self._unsaved = False
        try:
            await self._save()
        except StoreError as error:
            self._unsaved = True
            if not self._over:
                self._on_error(error)

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._saving = None
        if self._unsaved:
            # What came while the disk was slow has waited already.
            passed = asyncio.get_running_loop().time() - self._began
            self._save_within(max(0.0, SAVE_SECONDS - passed))
