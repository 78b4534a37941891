"""Search in the transcript, as a person sees it."""

from __future__ import annotations

from tests.ui.reading import reading
from tests.ui.scripted import ScriptedLink, make_app, message, screen_text, tab
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp

SEA = tuple(
    message(n, f"message {n} of the {'sea' if n % 10 == 0 else 'land'}", role="assistant")
    for n in range(1, 101)
)


async def count_says(pilot: Pilot[None], app: ChatApp, words: str) -> None:
    """Wait until the bar says this."""
    while words not in screen_text(app):
        await pilot.pause(0.01)


async def test_matches_are_counted_marked_and_walked() -> None:
    async with reading(*SEA, size=(80, 24)) as (app, _, pilot):
        await pilot.press("ctrl+f", *"sea")
        await count_says(pilot, app, "10/10")
        assert "message 100 of the sea" in screen_text(app)
        await pilot.press("enter")
        await count_says(pilot, app, "9/10")
        assert "message 90 of the sea" in screen_text(app)
        await pilot.press("down", "down")
        await count_says(pilot, app, "1/10")
        assert "message 10 of the sea" in screen_text(app)


async def test_escape_ends_the_search_and_takes_the_marks_away() -> None:
    async with reading(*SEA, size=(80, 24)) as (app, _, pilot):
        await pilot.press("ctrl+f", *"sea")
        await count_says(pilot, app, "10/10")
        transcript = app.window.transcript
        assert transcript is not None
        marked = [transcript.render_line(y) for y in range(transcript.size.height)]
        await pilot.press("escape")
        await pilot.pause()
        plain = [transcript.render_line(y) for y in range(transcript.size.height)]
        assert [strip.text for strip in marked[: len(plain) - 1]] != []
        assert marked != plain
        assert app.window.search is not None
        assert not app.window.search.display
        assert app.window.composer.editor.has_focus


async def test_capitals_make_case_count_and_that_is_shown() -> None:
    async with reading(*SEA, size=(80, 24)) as (app, _, pilot):
        await pilot.press("ctrl+f", *"Sea")
        await count_says(pilot, app, "Aa none")


async def test_the_signs_of_the_bar_do_the_same_by_mouse() -> None:
    async with reading(*SEA, size=(80, 24)) as (app, _, pilot):
        await pilot.press("ctrl+f", *"sea")
        await count_says(pilot, app, "10/10")
        lines = screen_text(app).splitlines()
        y = next(y for y, line in enumerate(lines) if "✕" in line and "⌕" in line)
        await pilot.click(offset=(lines[y].index("↑"), y))
        await count_says(pilot, app, "9/10")
        await pilot.click(offset=(lines[y].index("✕"), y))
        await pilot.pause()
        assert "⌕" not in screen_text(app)


async def test_messages_that_were_not_fetched_are_searched_too() -> None:
    link = ScriptedLink()
    link.stored[1] = tuple(
        message(n, "the needle" if n == 3 else f"hay {n}", role="assistant") for n in range(1, 1201)
    )
    app = make_app(link)
    async with app.run_test(size=(80, 24)) as pilot:
        link.connect((tab(1, "long", message_count=1200),))
        await pilot.pause()
        await pilot.pause()
        await pilot.press("ctrl+f", *"needle")
        await count_says(pilot, app, "/1")
        await pilot.press("enter")
        await count_says(pilot, app, "1/1")
        assert "the needle" in screen_text(app)


async def test_the_search_follows_a_reply_that_streams() -> None:
    async with reading(*SEA[:3], size=(80, 24)) as (app, link, pilot):
        await pilot.press("ctrl+f", *"needle")
        await count_says(pilot, app, "none")
        reply = message(500, "", role="assistant", turn=9, state="streaming")
        link.event(p.MessageChanged(1, 9, reply))
        link.event(p.TurnText(1, 9, 500, 0, "a needle and a needle"))
        await count_says(pilot, app, "0/2")
