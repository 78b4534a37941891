"""What a terminal shows that is sent nothing but the rows that have changed."""

from __future__ import annotations

from typing import Any

from rich.color import ColorSystem
from tests.ui.hands import until
from tests.ui.scripted import ScriptedLink, make_app, message, tab
from tests.ui.small_vt import SmallVt
from textual._compositor import ChopsUpdate
from textual.geometry import Region
from textual.screen import Screen

from gemma_chat.host import protocol as p
from gemma_chat.ui.frames import Frames
from gemma_chat.ui.row_compositor import rows_of

TEXT = "Some *words* with `code`, and a list:\n\n- one\n- two\n\n"


def test_rows_that_touch_are_one_stretch() -> None:
    regions = [Region(0, 7, 5, 1), Region(3, 1, 9, 2), Region(0, 3, 1, 1), Region(0, 2, 80, 1)]
    assert rows_of(regions) == [(1, 4), (7, 8)]


async def test_a_terminal_that_gets_changed_rows_alone_shows_what_the_screen_is() -> None:
    link = ScriptedLink()
    app = make_app(link)
    shown, whole = SmallVt(80, 24), SmallVt(80, 24)

    def picture() -> str:
        strips = app.screen._compositor.render_strips()
        return Frames().update(strips, app.console._color_system or ColorSystem.STANDARD)

    def display(screen: Screen[Any], update: object) -> None:
        if screen is app.screen and update is not None:
            # Each row begins with a way to it: the line ends between them move nothing.
            partial = isinstance(update, ChopsUpdate)
            written = update.render_segments(app.console) if partial else picture()
            shown.feed(written.replace("\n", ""))

    async with app.run_test(size=(80, 24)) as pilot:
        app._display = display
        app.refresh(layout=True)
        link.stored[1] = tuple(message(n, TEXT * 3) for n in range(1, 9))
        link.connect([tab(1, "one", message_count=8, turn=8), tab(2, "two")])
        reply = message(9, "", role="assistant", turn=9, state="streaming")

        def is_whole() -> bool:
            whole.feed(picture())
            return shown.cells == whole.cells

        await until(pilot, is_whole)
        link.event(p.MessageChanged(1, 9, reply))
        sent = ""
        for _ in range(5):
            link.event(p.TurnText(1, 9, 9, len(sent), TEXT))
            sent += TEXT
            await until(pilot, is_whole)
        for key in ("x", "pageup", "f4", "ctrl+p", "down", "escape", "ctrl+pagedown"):
            await pilot.press(key)
            await until(pilot, is_whole)
