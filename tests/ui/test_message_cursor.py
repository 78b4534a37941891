"""The cursor over messages: where it goes, and where typing goes meanwhile."""

from __future__ import annotations

import pytest
from tests.ui.hands import until
from tests.ui.reading import TALK, reading, select
from tests.ui.scripted import message, screen_text

from gemma_chat.host import protocol as p


async def test_the_cursor_goes_over_messages_and_back_to_the_input() -> None:
    async with reading() as (app, _, pilot):
        await pilot.press("alt+up")
        await pilot.pause()
        assert app.state.selected == 4
        assert "▌ Assistant" in screen_text(app)
        await pilot.press("alt+up", "up")
        await pilot.pause()
        assert app.state.selected == 2
        await pilot.press("alt+down", "alt+down", "alt+down")
        await pilot.pause()
        assert app.state.selected == 0
        assert app.window.composer.editor.has_focus
        assert "▌" not in screen_text(app)


async def test_the_view_goes_with_the_cursor_and_follows_again_at_the_end() -> None:
    long = tuple(message(n, f"message {n}", role="assistant") for n in range(1, 31))
    async with reading(*long, size=(80, 24)) as (app, _, pilot):
        transcript = app.window.transcript
        assert transcript is not None
        await pilot.press("alt+up", *["up"] * 12)
        await pilot.pause()
        assert app.state.selected == 18
        assert "message 18" in screen_text(app)
        assert not transcript.follows
        await pilot.press(*["down"] * 12)
        await pilot.pause()
        assert app.state.selected == 30
        assert transcript.follows


async def test_escape_takes_the_cursor_away_before_it_stops_anything() -> None:
    async with reading() as (app, link, pilot):
        running = p.LockEntry(1, 2, "Pirate", phase="generating")
        link.event(p.LockChanged(p.LockView(running)))
        await select(pilot, app, 3)
        await pilot.press("escape")
        await pilot.pause()
        assert (app.state.selected, link.asked(p.StopTurn)) == (0, [])
        await pilot.press("escape")
        await pilot.pause()
        assert len(link.asked(p.StopTurn)) == 1


async def test_a_click_selects_a_message_and_a_click_on_its_sign_opens_the_menu() -> None:
    async with reading() as (app, _, pilot):
        assert app.window.transcript is not None
        await pilot.click(app.window.transcript, offset=(4, 1))
        await pilot.pause()
        assert app.state.selected == 1
        line = screen_text(app).splitlines()[1]
        assert "⋯ menu" in line
        await pilot.click(offset=(line.index("⋯"), 1), times=1)
        await pilot.pause()
        assert "Edit and send again" in screen_text(app)


@pytest.mark.parametrize(("key", "branch"), [("left", 1), ("right", 3)])
async def test_branches_are_walked_by_key(key: str, branch: int) -> None:
    async with reading() as (app, link, pilot):
        assert "‹ 2/3 ›" in screen_text(app)
        await select(pilot, app, 2)
        await pilot.press(key)
        await pilot.pause()
        assert [(r.message, r.branch) for r in link.asked(p.SelectBranch)] == [(2, branch)]


@pytest.mark.parametrize(("sign", "branch"), [("‹", 1), ("›", 3)])
async def test_branches_are_walked_by_a_click_on_their_signs(sign: str, branch: int) -> None:
    async with reading() as (app, link, pilot):
        lines = screen_text(app).splitlines()
        y = next(y for y, line in enumerate(lines) if "‹ 2/3 ›" in line)
        await pilot.click(offset=(lines[y].index(sign), y))
        await pilot.pause()
        assert [(r.message, r.branch) for r in link.asked(p.SelectBranch)] == [(2, branch)]


async def test_another_branch_takes_the_place_of_the_old_one_and_the_cursor_stays_there() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 2)
        await pilot.press("right")
        await pilot.pause()
        link.stored[1] = (TALK[0], message(8, "Deep.", role="assistant", branch=(3, 3)))
        link.event(p.TranscriptChanged(1, 2))
        await pilot.pause()
        await pilot.pause()
        assert link.asked(p.FetchMessages)[-1].since == 2
        shown = screen_text(app)
        assert "Deep." in shown
        assert "‹ 3/3 ›" in shown
        assert "Wide." not in shown
        assert app.state.selected == 8


async def test_another_branch_that_comes_with_the_event_is_shown_without_asking() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 2)
        asked = len(link.asked(p.FetchMessages))
        await pilot.press("right")
        await pilot.pause()
        other = message(8, "Deep.", role="assistant", branch=(3, 3))
        link.event(p.TranscriptChanged(1, 2, (other,)))
        await pilot.pause()
        assert "Deep." in screen_text(app)
        assert "Wide." not in screen_text(app)
        assert app.state.selected == 8
        assert len(link.asked(p.FetchMessages)) == asked


@pytest.mark.parametrize(
    "event", [p.TranscriptChanged(1, 4), p.MessageRemoved(1, 2, 4)], ids=["branch", "removed"]
)
async def test_when_the_selected_message_is_shown_no_more_typing_goes_into_the_input(
    event: p.Event,
) -> None:
    """Another reply, a deletion: letters must not be taken for what is to be done with another."""
    async with reading() as (app, link, pilot):
        await select(pilot, app, 4)
        link.event(event)
        await pilot.pause()
        await pilot.press(*"/te")
        await pilot.pause()
        assert app.window.composer.draft.text == "/te"
        assert app.state.selected == 0


async def test_the_cursor_goes_along_to_another_reply_however_often_it_is_asked_for() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 4)
        for turn, reply in ((11, 8), (12, 9), (13, 10)):
            await pilot.press("r")
            await pilot.pause()
            link.event(p.TranscriptChanged(1, 4, ()))
            await pilot.pause()
            assert app.state.selected == 3, "until it is here the cursor waits at the question"
            begun = message(reply, "So", role="assistant", turn=turn, state="streaming")
            link.event(p.MessageChanged(1, turn, begun))
            await pilot.pause()
            assert app.state.selected == reply
        assert [asked.message for asked in link.asked(p.Regenerate)] == [4, 8, 9]


async def test_asked_again_before_the_reply_is_there_it_is_the_same_question() -> None:
    async with reading() as (app, link, pilot):
        link.held = {p.Regenerate}
        await select(pilot, app, 4)
        await pilot.press("r", "r")
        await link.is_asked(p.Regenerate)
        link.event(p.TranscriptChanged(1, 4, ()))
        link.release()
        await until(pilot, lambda: len(link.asked(p.Regenerate)) == 2)
        for turn, reply in ((11, 8), (12, 9)):
            begun = message(reply, "So", role="assistant", turn=turn, state="streaming")
            link.event(p.TranscriptChanged(1, 4, ()))
            link.event(p.MessageChanged(1, turn, begun))
        await until(pilot, lambda: app.state.selected == 9)
        assert [asked.message for asked in link.asked(p.Regenerate)] == [4, 3]


async def test_when_another_terminal_closes_the_tab_of_the_selected_message_typing_is_typing() -> (
    None
):
    async with reading() as (app, link, pilot):
        await select(pilot, app, 4)
        link.event(p.SessionClosed(1))
        await pilot.pause()
        await pilot.press(*"red")
        await pilot.pause()
        assert app.window.composer.draft.text == "red"
        assert app.state.selected == 0


@pytest.mark.parametrize("way", ["f", "alt+2"], ids=["fork", "another tab"])
async def test_in_the_tab_that_is_shown_next_typing_goes_into_the_input(way: str) -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 4)
        await pilot.press(way)
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.state.active != 1
        await pilot.press(*"red")
        await pilot.pause()
        assert app.window.composer.draft.text == "red"
        assert link.asked(p.Regenerate) == []


async def test_the_cursor_stays_on_a_message_while_its_branches_are_walked() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 2)
        link.stored[1] = (TALK[0], message(6, "Deep.", role="assistant", branch=(3, 3)))
        await pilot.press("right")
        link.event(p.TranscriptChanged(1, 2))
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.state.selected == 6
        await pilot.press("left")
        await pilot.pause()
        assert [asked.message for asked in link.asked(p.SelectBranch)] == [2, 6]


@pytest.mark.parametrize("key", ["f", "ctrl+pagedown"])
async def test_in_another_tab_what_is_typed_is_meant_for_the_input(key: str) -> None:
    async with reading() as (app, _, pilot):
        await select(pilot, app, 2)
        await pilot.press(key)
        await pilot.pause()
        await pilot.press(*"do it")
        assert app.state.active != 1
        assert app.window.composer.editor.text == "do it"
