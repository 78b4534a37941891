"""The status bar: one or two rows at the foot of the window, drawn without any layout."""

from __future__ import annotations

import time
from typing import ClassVar, Literal

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.sizes import LOW
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.status_line import PALETTE, WIDE, Row, action_at, rows_of

PADDING = 1
SECONDS_BETWEEN = 0.25
"""Figures change many times a second; nobody reads them faster than this."""


class StatusBar(Widget):
    """Who holds the generation lock, who waits, context, model and memory."""

    DEFAULT_CSS = """
    StatusBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
    }
    StatusBar.-two-rows { height: 2; }
    StatusBar > .status-bar--quiet { color: $ink-quiet; }
    StatusBar > .status-bar--holding { color: $ink-good; text-style: bold; }
    StatusBar > .status-bar--waiting { color: $ink-wait; }
    StatusBar > .status-bar--warning { color: $ink-wait; text-style: bold; }
    StatusBar > .status-bar--error { color: $ink-bad; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "status-bar--plain",
        "status-bar--quiet",
        "status-bar--holding",
        "status-bar--waiting",
        "status-bar--warning",
        "status-bar--error",
    }

    def __init__(self, keymap: Keymap = DEFAULT_KEYS) -> None:
        super().__init__(id="status-bar")
        self._keymap = keymap
        self._state = TerminalState()
        self._drawn_at = 0.0
        self._later: Timer | None = None
        self._rows: tuple[Row, ...] = ()
        self._window = Size(80, 24)
        self._count: Literal[1, 2] = 2

    def fit_window(self, window: Size) -> None:
        """Take the number of rows that suits a window of this size; may cause a layout."""
        self._window = window
        self._count = 1 if window.width >= WIDE or window.height < LOW else 2
        self.set_class(self._count == 2, "-two-rows")
        self._rows = self._fitted()
        self.refresh()

    def show(self, state: TerminalState) -> None:
        """Say how things stand: now, or as soon as the last time is long enough ago."""
        self._state = state
        if self._later is not None:
            return
        wait = self._drawn_at + SECONDS_BETWEEN - time.monotonic()
        if wait <= 0 or not self.is_mounted:
            self._draw()
        else:
            self._later = self.set_timer(wait, self._draw)

    async def on_click(self, event: events.Click) -> None:
        spot = event.get_content_offset(self)
        row = self._rows[spot.y] if spot is not None and spot.y < len(self._rows) else ()
        action = action_at(row, spot.x) if spot is not None else PALETTE
        await self.app.run_action(f"app.run('{action}')")

    def _draw(self) -> None:
        self._later = None
        self._drawn_at = time.monotonic()
        rows = self._fitted()
        if rows != self._rows:
            self._rows = rows
            self.refresh()

    def _fitted(self) -> tuple[Row, ...]:
        width = max(1, self._window.width - 2 * PADDING)
        return rows_of(self._state, width, self._count, self._keymap)

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        width = self.content_size.width
        if y >= len(self._rows):
            return Strip.blank(width, base)
        segments = []
        for shown in self._rows[y]:
            style = self.get_component_rich_style(f"status-bar--{shown.kind}", partial=True)
            segments.append(Segment(shown.text, base + style))
        return Strip(segments).adjust_cell_length(width, base)
