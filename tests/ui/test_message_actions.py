"""The menu of a message, and what each action asks of the host."""

from __future__ import annotations

import msgspec
import pytest
from tests.ui.hands import shows
from tests.ui.reading import TALK, WAITING, reading, select
from tests.ui.scripted import message, notes, screen_text

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host import protocol as p


async def test_the_menu_offers_what_fits_the_message_and_does_it() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 2)
        await pilot.press("enter")
        await pilot.pause()
        shown = screen_text(app)
        assert "Another reply" in shown
        assert "Branch before" in shown
        assert "Edit and send again" not in shown
        assert "Go on with the reply" not in shown
        await pilot.press("p")
        await pilot.pause()
        assert [(r.message, r.pinned) for r in link.asked(p.PinMessage)] == [(2, True)]


async def test_an_edited_message_is_sent_again_in_its_place_and_the_draft_comes_back() -> None:
    async with reading() as (app, link, pilot):
        await pilot.press(*"draft")
        await select(pilot, app, 1)
        await pilot.press("e")
        await pilot.pause()
        assert app.window.composer.editor.text == "What is the sea?"
        assert "editing a message" in screen_text(app)
        await pilot.press(*"??", "enter")
        await pilot.pause()
        await pilot.pause()
        asked = [(r.message, r.text) for r in link.asked(p.EditMessage)]
        assert asked == [(1, "What is the sea???")]
        assert link.asked(p.SendMessage) == []
        assert app.window.composer.editor.text == "draft"


async def test_editing_is_given_up_with_escape_and_survives_a_look_at_another_tab() -> None:
    async with reading() as (app, link, pilot):
        await pilot.press(*"draft")
        await select(pilot, app, 1)
        await pilot.press("e", "!", "ctrl+pagedown", "ctrl+pageup")
        await pilot.pause()
        assert app.window.composer.editor.text == "What is the sea?!"
        await pilot.press("escape")
        await pilot.pause()
        assert app.window.composer.editor.text == "draft"
        assert link.asked(p.EditMessage) == []
        assert {request.text for request in link.asked(p.SaveDraft)} <= {"draft"}


async def test_an_edit_that_is_refused_stays_in_the_input() -> None:
    async with reading() as (app, link, pilot):
        link.refusals = {p.EditMessage: "Another branch is shown."}
        await select(pilot, app, 1)
        await pilot.press("e", "!", "enter")
        await pilot.pause()
        await pilot.pause()
        assert app.window.composer.editor.text == "What is the sea?!"
        assert "Another branch is shown." in notes(app)


async def test_a_reply_cannot_be_edited_and_that_is_said() -> None:
    async with reading() as (app, _, pilot):
        await select(pilot, app, 2)
        await pilot.press("e")
        await pilot.pause()
        assert any("Your own messages" in note for note in notes(app))


async def test_another_reply_is_asked_for_with_a_seed_of_its_own() -> None:
    seeded = SessionSettings(sampling=SamplingSettings(random_seed=7))
    async with reading(settings=seeded) as (app, link, pilot):
        await select(pilot, app, 2)
        await pilot.press("r")
        await pilot.pause()
        (request,) = link.asked(p.Regenerate)
        assert request.message == 2
        assert request.sampling is not None
        assert request.sampling.random_seed == 10


async def test_another_reply_can_have_settings_of_its_own() -> None:
    free = SessionSettings(sampling=SamplingSettings(random_seed=None, stop=("END",)))
    async with reading(settings=free) as (app, link, pilot):
        await select(pilot, app, 2)
        await pilot.press("r", "R")
        await pilot.pause()
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        plain, precise = link.asked(p.Regenerate)
        assert plain.sampling is None
        assert precise.sampling is not None
        assert (precise.sampling.temperature, precise.sampling.stop) == (0.2, ("END",))
        assert link.asked(p.ChangeSettings) == []


async def test_a_stopped_reply_goes_on() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 4)
        await pilot.press("o")
        await pilot.pause()
        assert [request.message for request in link.asked(p.ContinueReply)] == [4]


async def test_a_continued_reply_streams_on_behind_what_it_had() -> None:
    async with reading(message(1, "q"), message(2, "One", role="assistant", state="stopped")) as (
        _,
        link,
        pilot,
    ):
        reopened = message(2, "One", role="assistant", turn=9, state="streaming")
        link.event(p.MessageChanged(1, 9, reopened))
        link.event(p.TurnText(1, 9, 2, 3, " and two"))
        await shows(pilot, "One and two")


async def test_a_fork_opens_and_shows_a_tab() -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 2)
        await pilot.press("f")
        await pilot.pause()
        await pilot.pause()
        assert [request.message for request in link.asked(p.ForkFrom)] == [2]
        assert app.state.active_tab is not None
        assert app.state.active_tab.title == "fork"


async def test_a_message_is_quoted_below_what_is_being_typed() -> None:
    async with reading() as (app, _, pilot):
        await pilot.press(*"See")
        await select(pilot, app, 2)
        await pilot.press("q")
        await pilot.pause()
        assert app.window.composer.editor.text == "See\n\n> Wide.\n\n"
        assert app.window.composer.editor.has_focus


async def test_a_pin_is_shown_and_taken_away() -> None:
    async with reading() as (app, link, pilot):
        link.event(p.MessageUpdated(1, msgspec.structs.replace(TALK[2], pinned=True)))
        await pilot.pause()
        assert "✱ pinned" in screen_text(app)
        await select(pilot, app, 3)
        await pilot.press("p")
        await pilot.pause()
        assert [(r.message, r.pinned) for r in link.asked(p.PinMessage)] == [(3, False)]


@pytest.mark.parametrize(
    ("keys", "scopes"), [("x", ["exchange"]), ("a", ["following"]), ("n", []), ("escape", [])]
)
async def test_deleting_asks_how_much_first(keys: str, scopes: list[str]) -> None:
    async with reading() as (app, link, pilot):
        await select(pilot, app, 3)
        await pilot.press("d")
        await pilot.pause()
        assert "1 more below" in screen_text(app)
        await pilot.press(keys)
        await pilot.pause()
        asked = link.asked(p.DeleteMessage)
        assert [(r.message, r.newest, r.scope) for r in asked] == [(3, 4, one) for one in scopes]


async def test_a_waiting_message_is_cancelled_and_comes_back_to_the_input() -> None:
    async with reading(*TALK, *WAITING) as (app, link, pilot):
        assert screen_text(app).count("◷ queued") == 3
        await select(pilot, app, 7)
        await pilot.press("d")
        await pilot.pause()
        assert [request.message for request in link.asked(p.DeleteMessage)] == [7]
        assert app.window.composer.editor.text == "second"
        assert app.window.composer.editor.has_focus


async def test_waiting_messages_change_places() -> None:
    async with reading(*TALK, *WAITING) as (app, link, pilot):
        await select(pilot, app, 7)
        await pilot.press("ctrl+down")
        await pilot.pause()
        assert [request.turns for request in link.asked(p.ReorderQueue)] == [(3, 5, 4)]
        assert app.state.selected == 9
        await pilot.press("ctrl+down", "ctrl+up")
        await pilot.pause()
        assert [request.turns for request in link.asked(p.ReorderQueue)][1:] == [(3, 5, 4)]
        await select(pilot, app, 1)
        await pilot.press("ctrl+up")
        await pilot.pause()
        assert any("Only messages that wait" in note for note in notes(app))


async def test_what_is_sent_is_meant_for_the_branch_that_is_seen() -> None:
    async with reading() as (_, link, pilot):
        await pilot.press(*"And?", "enter")
        await pilot.pause()
        assert [request.after for request in link.asked(p.SendMessage)] == [4]


async def test_everything_is_in_the_palette_and_does_no_harm_in_an_empty_tab() -> None:
    async with reading() as (app, link, pilot):
        await pilot.press("ctrl+pagedown")
        await pilot.pause()
        before = len(link.requests)
        for id_ in (*app._commands.messages.by_id, "search.next", "search.previous"):
            app.action_run(id_)
        await pilot.pause()
        asked = {type(request) for request in link.requests[before:]}
        assert asked <= {p.FetchMessages, p.SaveDraft, p.MarkRead, p.SaveScroll}


@pytest.mark.parametrize("added", ["", " and two"])
async def test_a_reply_that_goes_on_with_nothing_is_explained(added: str) -> None:
    async with reading(message(1, "q"), message(2, "One", role="assistant")) as (app, link, pilot):
        await select(pilot, app, 2)
        await pilot.press("o")
        await pilot.pause()
        turn = link._next_turn
        going = message(2, "One", role="assistant", turn=turn, state="streaming")
        link.event(p.MessageChanged(1, turn, going))
        if added:
            link.event(p.TurnText(1, turn, 2, 3, added))
        link.event(p.TurnFinished(1, turn, "stop", p.TurnMetrics()))
        await pilot.pause()
        said = [note for note in notes(app) if "added nothing" in note]
        assert bool(said) == (not added)


async def test_what_is_said_already_is_not_said_twice() -> None:
    async with reading() as (app, link, pilot):
        for _ in range(3):
            link.event(p.Notice("warning", "The disk is full."))
            await pilot.pause()
        assert notes(app) == ["The disk is full."]
