"""The one-lane way: a program that has one session at a time, and opens the next in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gemma_chat.sessions.history import Exchange
from gemma_chat.sessions.options import SessionOptions
from gemma_chat.sessions.replacement import Replacement
from gemma_chat.sessions.session import Session

Open = Callable[[SessionOptions, tuple[Exchange, ...], tuple[Replacement, ...]], Session]


class OneLane:
    """Replaces its session; calls that overlap give the same one."""

    def __init__(self, check: Callable[[SessionOptions], object], open_session: Open) -> None:
        """`check` raises what is wrong with options, before the session there is is closed."""
        self._check = check
        self._open = open_session
        self._session: Session | None = None
        self._opening: asyncio.Task[Session] | None = None

    @property
    def session(self) -> Session | None:
        """The session, while it is open."""
        return self._session

    async def replace(
        self,
        options: SessionOptions,
        exchanges: tuple[Exchange, ...] = (),
        replacements: tuple[Replacement, ...] = (),
    ) -> Session:
        """Close the session there is and open another; refused options leave it open."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._replace(options, exchanges, replacements))
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    def forget(self) -> None:
        """The session is closed."""
        self._session = None

    async def _replace(
        self,
        options: SessionOptions,
        exchanges: tuple[Exchange, ...],
        replacements: tuple[Replacement, ...],
    ) -> Session:
        self._check(options)
        if self._session is not None:
            await self._session.close()
        self._session = self._open(options, exchanges, replacements)
        return self._session

    def _opened(self, task: asyncio.Task[Session]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()
