"""The panel of the generation lock: live, and everything in it by keyboard and by mouse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.ui.scripted import (
    HOSTILE_TITLES,
    READY,
    SIZES,
    ScriptedLink,
    make_app,
    notes,
    screen_text,
    tab,
)
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.lock_list import LockList
from gemma_chat.ui.status_bar import StatusBar

TABS = (tab(1, "Pirate"), tab(2, "Tutor"), tab(3, "Reviewer"))
RUNNING = p.LockEntry(1, 4, "Pirate", False, "generating", 0, 0, 80, 43.2, 12.3, ticket=7)
TUTOR = p.LockEntry(2, 1, "Tutor", elapsed=9.0, ticket=8)
REVIEWER = p.LockEntry(3, 1, "Reviewer", elapsed=5.0, ticket=9)
SUMMARY = p.LockEntry(0, 0, "summarizer", True, ticket=10, about=2)
LOCK = p.LockView(RUNNING, (TUTOR, REVIEWER, SUMMARY))
MEMORY = msgspec.structs.replace(READY, kv_disk_bytes=61_000_000, process_bytes=310_000_000)


@asynccontextmanager
async def panel(
    lock: p.LockView = LOCK, *, size: tuple[int, int] = (120, 40), **changes: object
) -> AsyncIterator[tuple[ChatApp, ScriptedLink, Pilot[None]]]:
    """A terminal with the panel open."""
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect(TABS, lock=lock, model=MEMORY, **changes)
        await pilot.pause()
        await pilot.press("f5")
        await pilot.pause()
        yield app, link, pilot


def changed(link: ScriptedLink) -> list[tuple[int, str]]:
    return [(request.ticket, request.change) for request in link.asked(p.ChangeQueue)]


async def click_on(pilot: Pilot[None], app: ChatApp, sign: str, row_with: str) -> None:
    """Click this sign in the row of the screen that shows these words."""
    for y, line in enumerate(screen_text(app).splitlines()):
        if row_with in line and sign in line:
            await pilot.click(offset=(line.rindex(sign), y))
            await pilot.pause()
            return
    raise AssertionError(f"{sign} stands in no row with {row_with}")


async def test_it_lists_the_holder_the_queue_background_work_and_memory() -> None:
    async with panel(summarizer=p.SummarizerView(session=2, pending=(3,))) as (app, _, _):
        shown = screen_text(app)
        for words in (
            "● 1 Pirate",
            "43 tok/s · 80 tokens · 12 s",
            "① 2 Tutor",
            "waits 9 s",
            "② 3 Reviewer",
            "· summarizer on 2 Tutor",
            "Summaries to come: 3",
            "weights",
            "98 MB",
            "saved on disk",
            "61 MB",
            "310 MB",
        ):
            assert words in shown


async def test_it_follows_what_happens_and_tells_what_was_moved() -> None:
    async with panel() as (app, link, pilot):
        moved = msgspec.structs.replace(REVIEWER, moved=1)
        passed = msgspec.structs.replace(TUTOR, moved=-1)
        reading = p.LockEntry(1, 5, "Pirate", False, "prefill", 320, 1200, ticket=11)
        link.event(p.LockChanged(p.LockView(reading, (moved, passed))))
        await pilot.pause()
        shown = screen_text(app)
        assert "reading 320/1200 ━━━───────" in shown
        assert shown.index("① 3 Reviewer") < shown.index("② 2 Tutor")
        assert "moved up 1" in shown
        assert "moved back 1" in shown
        link.event(p.LockChanged(p.LockView()))
        await pilot.pause()
        assert "Nobody: the lock is free." in screen_text(app)


async def test_keys_move_an_entry_and_the_cursor_goes_with_it() -> None:
    async with panel() as (_, link, pilot):
        await pilot.press("down", "down", "u")
        await pilot.pause()
        assert changed(link) == [(9, "sooner")]
        link.event(p.LockChanged(p.LockView(RUNNING, (REVIEWER, TUTOR))))
        await pilot.pause()
        await pilot.press("ctrl+down")
        await pilot.pause()
        assert changed(link)[1:] == [(9, "later")]


async def test_clicks_move_end_and_go_to_entries_of_other_tabs() -> None:
    async with panel() as (app, link, pilot):
        await click_on(pilot, app, "↑", "② 3 Reviewer")
        await click_on(pilot, app, "↓", "① 2 Tutor")
        await click_on(pilot, app, "✕", "summarizer on 2")
        assert changed(link) == [(9, "sooner"), (8, "later"), (10, "cancel")]
        await click_on(pilot, app, "✕", "② 3 Reviewer")
        await click_on(pilot, app, "✕", "● 1 Pirate")
        assert [(stop.session, stop.turn) for stop in link.asked(p.StopTurn)] == [(3, 1), (1, 4)]
        await click_on(pilot, app, "Reviewer", "② 3 Reviewer")
        assert app.state.active == 3
        await click_on(pilot, app, "summarizer", "summarizer on 2")
        assert app.state.active == 2


async def test_a_refused_move_is_told() -> None:
    async with panel() as (app, link, pilot):
        link.refusals[p.ChangeQueue] = "It is the first in the queue already."
        await pilot.press("down", "u")
        await pilot.pause()
        assert notes(app) == ["It is the first in the queue already."]


async def test_a_click_on_the_lock_in_the_status_bar_opens_and_closes_it() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(80, 24)) as pilot:
        link.connect(TABS, lock=LOCK)
        await pilot.pause()
        # The bar waits a moment between two pictures, unless the window changes.
        app.window.status_bar.fit_window(app.size)
        for is_open in (True, False):
            await pilot.click(StatusBar, offset=(6, 0))
            await pilot.pause()
            assert bool(app.query(LockList)) == is_open
        await pilot.click(StatusBar, offset=(6, 1))
        await pilot.pause()
        assert link.asked(p.ShowContext)
        await pilot.click(StatusBar, offset=(40, 1))
        await pilot.pause()
        assert len(app.screen_stack) == 2


async def test_what_waits_for_a_model_can_be_taken_out_but_not_moved() -> None:
    waiting = p.LockView(None, (p.LockEntry(2, 1, "Tutor"),))
    async with panel(waiting) as (app, link, pilot):
        assert "waits 0 s for the model" in screen_text(app)
        assert "↑" not in next(row for row in screen_text(app).splitlines() if "① 2 Tutor" in row)
        await click_on(pilot, app, "✕", "① 2 Tutor")
        assert [(stop.session, stop.turn) for stop in link.asked(p.StopTurn)] == [(2, 1)]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_titles_and_a_long_queue_fit_every_window(size: tuple[int, int]) -> None:
    tabs = tuple(tab(n, title) for n, title in enumerate(HOSTILE_TITLES, 1))
    waiting = tuple(p.LockEntry(n, 1, "x", ticket=n) for n in range(2, len(tabs) + 1))
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect(tabs, lock=p.LockView(RUNNING, waiting))
        await pilot.pause()
        await pilot.press("f5", "end")
        await pilot.pause()
        shown = screen_text(app)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        await pilot.press("x")
        await pilot.pause()
        assert [stop.session for stop in link.asked(p.StopTurn)] == [len(tabs)]
