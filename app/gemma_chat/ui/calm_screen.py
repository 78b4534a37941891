"""A screen that is drawn once where Textual would lay it out and draw it five times.

Textual draws after every step on the way: when a dialog has its widgets, when they have their
sizes, when one of them has filled itself accordingly, when the focus has moved. At a hundred and
twenty frames a second the machine cannot even show them all, and the terminal at the other end of a
slow line has to take every one. Here the steps of one change are held back and drawn together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from textual import events
from textual.geometry import Size
from textual.screen import Screen

from gemma_chat.ui.row_compositor import RowCompositor

_MOST_ROUNDS = 4
"""What one widget makes of its size may change that of another; after so many it is drawn."""
_TURNS = 3
"""Turns of the event loop in which a widget takes what it was sent, and answers."""

ResultT = TypeVar("ResultT")


class CalmScreen(Screen[ResultT]):
    """Base of the window and of what stands before it."""

    _held = 0
    """How many changes are under way that are to be drawn as a whole."""
    _is_undrawn = False
    """Something was laid out meanwhile and has not been drawn."""

    def __init__(
        self, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._compositor = RowCompositor()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Draw nothing before the end of this, and before the widgets have their new sizes."""
        self._held += 1
        try:
            yield
        finally:
            self.call_later(self._settle, _MOST_ROUNDS)

    async def _settle(self, rounds: int) -> None:
        """Let the widgets do their part, and go on behind what they say of it to this screen."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.call_later(self._lay_out, rounds)

    def _lay_out(self, rounds: int) -> None:
        if self._layout_required and rounds:
            self._layout_required = False
            self._refresh_layout()
            self.call_later(self._settle, rounds - 1)
            return
        self._held -= 1
        if not self._held:
            self._update_timer.resume()

    def _on_timer_update(self) -> None:
        if self._held:
            self._update_timer.pause()
            return
        if self._layout_required and self._repaint_required:
            # What is laid out is drawn; told so, it need not be drawn a second time.
            self._dirty_widgets.add(self)
            self._repaint_required = False
        super()._on_timer_update()
        if self._is_undrawn:
            self._compositor_refresh()

    def _compositor_refresh(self) -> None:
        self._is_undrawn = bool(self._held)
        if not self._held:
            super()._compositor_refresh()

    def _screen_resized(self, size: Size) -> None:
        # Also what a dialog hears of its first size leads here, for every screen behind it as well.
        is_seen = not self._held and self is self.app.screen
        if is_seen or self._layout_required or size != self._compositor.size:
            super()._screen_resized(size)


class OpeningScreen(CalmScreen[ResultT]):
    """A screen that is drawn first when its widgets have filled the sizes that they were given."""

    _held = 1
    _is_opening = True

    async def _on_resize(self, event: events.Resize) -> None:
        # Textual calls its own handler too, after this one.
        if self._is_opening:
            self._is_opening = False
            self.call_later(self._settle, _MOST_ROUNDS)
