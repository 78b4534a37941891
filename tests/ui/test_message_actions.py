"""The cursor over messages, its menu, and what each action asks of the host."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.ui.scripted import ScriptedLink, make_app, message, notes, screen_text, tab
from textual.pilot import Pilot

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp

CODE = "Here:\n\n```python\nprint(1)\n```\n\nand\n\n```\nsecond\n```\n"
TALK = (
    message(1, "What is the sea?"),
    message(2, "Wide.", role="assistant", branch=(2, 3)),
    message(3, "Show me code", turn=2),
    message(4, CODE, role="assistant", turn=2, state="stopped"),
)
WAITING = (
    message(5, "first", turn=3, state="queued"),
    message(7, "second", turn=4, state="queued"),
    message(9, "third", turn=5, state="queued"),
)


@asynccontextmanager
async def reading(
    *messages: p.MessageView, size: tuple[int, int] = (100, 40), **changes: object
) -> AsyncIterator[tuple[ChatApp, ScriptedLink, Pilot[None]]]:
    """A terminal that shows these messages in tab 1."""
    link = ScriptedLink()
    link.stored[1] = messages or TALK
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect((tab(1, "Pirate", message_count=4, **changes), tab(2, "Tutor")))
        await pilot.pause()
        await pilot.pause()
        yield app, link, pilot


async def select(pilot: Pilot[None], app: ChatApp, number: int) -> None:
    """Put the cursor on a message, as a person does."""
    await pilot.press("alt+up")
    await pilot.pause()
    for _ in app.state.tabs[0].conversation.messages:
        if app.state.selected != number:
            await pilot.press("up" if app.state.selected > number else "down")
            await pilot.pause()
    assert app.state.selected == number


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
        assert "⋯ enter" in line
        await pilot.click(offset=(line.index("⋯"), 1), times=1)
        await pilot.pause()
        assert "Edit and send again" in screen_text(app)


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
        app,
        link,
        pilot,
    ):
        reopened = message(2, "One", role="assistant", turn=9, state="streaming")
        link.event(p.MessageChanged(1, 9, reopened))
        link.event(p.TurnText(1, 9, 2, 3, " and two"))
        await pilot.pause(0.1)
        assert "One and two" in screen_text(app)


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


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts the terminal was asked to take."""
    texts: list[str] = []

    def note(_: ChatApp, sequence: str) -> None:
        texts.append(base64.b64decode(sequence[7:-1]).decode())

    monkeypatch.setattr(ChatApp, "_send_to_terminal", note)
    return texts


async def test_a_message_is_copied_as_it_was_written_and_that_is_said(sent: list[str]) -> None:
    async with reading() as (app, _, pilot):
        await select(pilot, app, 4)
        await pilot.press("c")
        await pilot.pause()
        assert sent == [CODE]
        assert "51 characters in 11 lines sent to the terminal's clipboard." in notes(app)
        assert app.clipboard == CODE


async def test_the_newest_reply_is_copied_while_one_types(sent: list[str]) -> None:
    async with reading(*TALK[:2]) as (_, __, pilot):
        await pilot.press("alt+c")
        await pilot.pause()
        assert sent == ["Wide."]


async def test_blocks_of_code_are_marked_one_after_the_other_and_copied(sent: list[str]) -> None:
    async with reading() as (app, _, pilot):
        await select(pilot, app, 4)
        for _ in range(3):
            await pilot.press("b", "c")
            await pilot.pause()
        assert sent == ["print(1)", "second", "print(1)"]
        await select(pilot, app, 1)
        await pilot.press("b")
        await pilot.pause()
        assert any("no block of code" in note for note in notes(app))


async def test_text_is_selected_with_shift_and_arrows_and_copied(sent: list[str]) -> None:
    text = "one 👩‍👩‍👧 two\n\nsecond שלום"
    async with reading(message(1, text, role="assistant")) as (app, _, pilot):
        await select(pilot, app, 1)
        await pilot.press(*["shift+right"] * 5, "c")
        await pilot.press("shift+down", "shift+down", "shift+end", "c")
        await pilot.pause()
        assert sent == ["one 👩‍👩‍👧", text]


async def test_a_block_is_marked_without_a_cursor_too(sent: list[str]) -> None:
    async with reading(*TALK, message(5, "plain", role="assistant", turn=3)) as (app, _, pilot):
        app.action_run("message.code")
        await pilot.pause()
        assert app.state.selected == 4


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
        await pilot.pause(0.1)
        said = [note for note in notes(app) if "added nothing" in note]
        assert bool(said) == (not added)


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


async def test_what_is_said_already_is_not_said_twice() -> None:
    async with reading() as (app, link, pilot):
        for _ in range(3):
            link.event(p.Notice("warning", "The disk is full."))
            await pilot.pause()
        assert notes(app) == ["The disk is full."]
