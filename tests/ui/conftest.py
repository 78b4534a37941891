"""Pilots that wait for the program, not for the clock; and style sheets that are read once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import textual.app
import textual.pilot
import textual.screen
from textual._context import active_app
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation

from gemma_chat.ui import app, composer, input_order, status_bar
from gemma_chat.ui.plain import terminal as plain_terminal

FRAME = 1 / 240
"""Seconds between two paints of the screen; a fast terminal's."""
PATIENCE = 60.0
"""Seconds for which the program waits where a person would be let go on after a moment."""
_IN_THREADS: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""How many calls of each loop run in other threads."""
_to_thread = asyncio.to_thread


async def counted_to_thread(function: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
    """As `asyncio.to_thread`, so that `until_idle` knows of it."""
    loop = asyncio.get_running_loop()
    _IN_THREADS[loop] = _IN_THREADS.get(loop, 0) + 1
    try:
        return await _to_thread(function, *args, **more)
    finally:
        _IN_THREADS[loop] -= 1


async def until_idle(min_sleep: float = 0, max_sleep: float = 0) -> None:
    """Wait until all is drawn, and nothing is left to do but what a timer or a socket will bring.

    Textual's own wait takes at least 20 ms, twice for every key, and goes by the processor time
    of the process: where other processes are busy it may end before the program has done its work.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(min_sleep, FRAME))
    while True:
        await asyncio.sleep(0)
        if loop._ready:  # type: ignore[attr-defined]
            continue
        if not (_IN_THREADS.get(loop) or _is_to_be_drawn()):
            return
        await asyncio.sleep(FRAME)


def _is_to_be_drawn() -> bool:
    """Whether the screen waits for its next frame, with which widgets may get other sizes."""
    app = active_app.get(None)
    if app is None or app._exit or not app.screen_stack:
        return False
    timer = app.screen._update_timer
    return timer._task is not None and timer._active.is_set()


@pytest.fixture(scope="session", autouse=True)
def pilots_wait_for_the_program() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textual.screen, "UPDATE_PERIOD", FRAME)
        for pace in ("SECONDS_BETWEEN", "STREAM_SECONDS"):
            patch.setattr(app, pace, 0)
        patch.setattr(status_bar, "SECONDS_BETWEEN", 0)
        # What is typed is stored when it is left: nobody types so slowly that it would be earlier.
        patch.setattr(composer, "SAVE_AFTER", PATIENCE)
        for terminal in (app, plain_terminal):
            patch.setattr(terminal, "LEAVE_SECONDS", PATIENCE)
        patch.setattr(input_order, "PATIENCE", PATIENCE)
        patch.setattr(app.ChatApp, "NOTIFICATION_TIMEOUT", 3_600)
        patch.setattr(textual.app.App, "CLICK_CHAIN_TIME_THRESHOLD", PATIENCE)
        patch.setattr(asyncio, "to_thread", counted_to_thread)
        for module in (textual.app, textual.pilot):
            patch.setattr(module, "wait_for_idle", until_idle)
        yield


@pytest.fixture(scope="session", autouse=True)
def style_sheets_are_read_once() -> Iterator[None]:
    """Every program has the same widgets: a tenth of the time of a test is reading their styles."""
    read = Stylesheet._parse_rules
    known: dict[tuple[object, ...], list[RuleSet]] = {}

    def read_once(
        sheet: Stylesheet,
        css: str,
        read_from: CSSLocation,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> list[RuleSet]:
        variables = frozenset(sheet._variables.items())
        key = (css, read_from, is_default_rules, tie_breaker, scope, variables)
        if key not in known:
            known[key] = read(sheet, css, read_from, is_default_rules, tie_breaker, scope)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", read_once)
        yield
