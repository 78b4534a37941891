"""The history of all conversations, as a person uses it."""

from __future__ import annotations

import pytest
from tests.ui.scripted import HOSTILE_TITLES, notes, screen_text
from tests.ui.stored_conversations import BIRDS, CODE, SEA, TAB, StoringLink, settle, terminal
from textual.pilot import Pilot

from gemma_chat.config.settings import Settings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.history.drawing import line_of
from gemma_chat.ui.history.screen import HistoryScreen

SIZES = ((40, 10), (80, 24), (120, 40))


async def click_on(pilot: Pilot[None], app: ChatApp, words: str, *, before: int = 0) -> None:
    """Click on the first place on the screen where these words stand."""
    lines = screen_text(app).splitlines()
    y = next(y for y, line in enumerate(lines) if words in line)
    await pilot.click(offset=(lines[y].index(words) - before, y))
    await settle(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_all_chats_are_listed_with_those_that_are_open_told_apart(
    size: tuple[int, int],
) -> None:
    async with terminal(StoringLink(), size) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        screen = screen_text(app)
        assert "History · 4" in screen
        assert all(title in screen for title in ("Pirate", "The sea", "Birds", "Code"))
        assert screen.count("open ·") == 1
        assert "ctrl+d delete" in screen


def test_a_long_title_comes_before_the_time_of_an_open_chat() -> None:
    view = p.ConversationView(
        session=1, title="How to sail a boat", open=True, created=0.0, updated=0.0, message_count=2
    )
    line = line_of(view, marked=False, now=60.0, cells=37).plain
    assert "How to sail a boat" in line
    assert line.endswith("  open")
    wide = line_of(view, marked=False, now=60.0, cells=60).plain
    assert wide.endswith("  open · 1 min ago")


async def test_typing_finds_chats_by_what_was_said_and_the_preview_shows_where() -> None:
    async with terminal(StoringLink()) as (app, pilot):
        await pilot.press("alt+h", *"deep")
        await settle(pilot)
        assert "History · 1" in screen_text(app)
        assert "How deep is the sea?" in screen_text(app)
        assert isinstance(app.screen, HistoryScreen)
        shown = app.screen._preview.render_line(4)
        [marked] = [one.text for one in shown if one.style is not None and one.style.bold]
        assert marked == "deep"


async def test_the_preview_follows_the_cursor_and_shows_the_end_of_a_chat() -> None:
    async with terminal(StoringLink()) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        assert "Arr, the sea is rough." in screen_text(app)
        await pilot.press("down", "down")
        await settle(pilot)
        assert "Tweet." in screen_text(app)
        assert "Arr, the sea is rough." not in screen_text(app)


async def test_enter_opens_a_closed_chat_in_a_tab() -> None:
    link = StoringLink()
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h", "down", "enter")
        await settle(pilot)
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press("down", "enter")
        await settle(pilot)
        assert [request.session for request in link.asked(p.ReopenSession)] == [SEA]
        assert app.state.active == SEA


async def test_enter_goes_to_the_tab_of_a_chat_that_is_open() -> None:
    link = StoringLink()
    async with terminal(link) as (app, pilot):
        await pilot.press("ctrl+t")
        await settle(pilot)
        assert app.state.active != TAB
        await pilot.press("alt+h", *"ahoy")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert app.state.active == TAB
        assert not link.asked(p.ReopenSession)


async def test_marked_chats_are_deleted_when_the_person_confirms_their_number() -> None:
    link = StoringLink()
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press("down", "tab", "tab", "ctrl+d")
        await settle(pilot)
        assert "Delete 2 conversations for good?" in screen_text(app)
        assert "Delete  4 messages" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert not link.asked(p.DeleteConversations)
        await pilot.press("ctrl+d", "d")
        await settle(pilot)
        [request] = link.asked(p.DeleteConversations)
        assert set(request.sessions) == {SEA, BIRDS}
        assert "2 conversations deleted." in notes(app)
        assert "History · 2" in screen_text(app)
        assert "marked" not in screen_text(app)


async def test_the_first_answer_to_a_deletion_keeps_everything() -> None:
    link = StoringLink()
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press("ctrl+d")
        await settle(pilot)
        assert "Delete “Pirate” for good?" in screen_text(app)
        assert "1 open tab" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert not link.asked(p.DeleteConversations)


async def test_what_the_host_refuses_to_delete_stays_and_is_told() -> None:
    link = StoringLink()
    link.refusals[p.DeleteConversations] = "There is no conversation 31; nothing was deleted."
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press("down", "tab", "ctrl+d", "d")
        await settle(pilot)
        assert "There is no conversation 31; nothing was deleted." in notes(app)
        assert "History · 4 · 1 marked" in screen_text(app)


async def test_all_that_were_found_are_marked_also_those_not_listed_yet() -> None:
    link = StoringLink({n: (f"chat {n}", ("hello", "hi")) for n in range(1, 251)})
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        assert "History · 100+" in screen_text(app)
        await pilot.press("ctrl+a")
        await settle(pilot)
        assert "History · 250 · 250 marked" in screen_text(app)
        await pilot.press("ctrl+a")
        await settle(pilot)
        assert "marked" not in screen_text(app)


async def test_marks_outlast_another_search() -> None:
    async with terminal(StoringLink()) as (app, pilot):
        await pilot.press("alt+h", *"birds")
        await settle(pilot)
        await pilot.press("tab", *["backspace"] * 5, *"code")
        await settle(pilot)
        await pilot.press("tab")
        await settle(pilot)
        assert "History · 1 · 2 marked" in screen_text(app)


async def test_a_list_goes_on_where_its_reader_comes_near_the_end() -> None:
    link = StoringLink({n: (f"chat {n}", ()) for n in range(1, 251)})
    async with terminal(link, (80, 24)) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await pilot.press(*["pagedown"] * 8)
        await settle(pilot)
        assert "History · 200+" in screen_text(app)
        await pilot.press(*["pagedown"] * 9)
        await settle(pilot)
        await pilot.press(*["pagedown"] * 9)
        await settle(pilot)
        assert "History · 250 " in screen_text(app)
        assert "chat 250" in screen_text(app)


async def test_everything_is_done_by_mouse_too() -> None:
    link = StoringLink()
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        await click_on(pilot, app, "Birds", before=2)
        assert "1 marked" in screen_text(app)
        assert "✓ Birds" in screen_text(app)
        assert "Tweet." in screen_text(app)
        await click_on(pilot, app, "delete")
        assert "Delete “Birds” for good?" in screen_text(app)
        await click_on(pilot, app, "d  Delete")
        assert [request.sessions for request in link.asked(p.DeleteConversations)] == [(BIRDS,)]
        await click_on(pilot, app, "Code")
        assert app.state.active == TAB
        lines = screen_text(app).splitlines()
        y = next(y for y, line in enumerate(lines) if "  Code" in line)
        await pilot.click(offset=(lines[y].index("Code"), y), times=2)
        await settle(pilot)
        assert app.state.active == CODE


@pytest.mark.parametrize("size", [SIZES[0], SIZES[2]])
async def test_without_chats_and_without_matches_a_sentence_says_so(size: tuple[int, int]) -> None:
    async with terminal(StoringLink({}), size) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        assert "No conversations yet." in screen_text(app)
        assert "What is said in a tab stays here." in screen_text(app)
        await pilot.press("tab", "ctrl+a", "ctrl+d", "alt+e", "enter", "up", "down", *"xyz")
        await settle(pilot)
        assert "None has all these words." in screen_text(app)
        assert isinstance(app.screen, HistoryScreen)


async def test_a_host_that_does_not_answer_is_told_and_the_next_letter_tries_again() -> None:
    link = StoringLink()
    link.refusals[p.ListConversations] = "The host is not connected."
    async with terminal(link) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        assert "The host is not connected." in notes(app)
        assert "Type to try again." in screen_text(app)
        link.refusals.clear()
        await pilot.press("s")
        await settle(pilot)
        assert "The sea" in screen_text(app)


async def test_an_answer_to_what_was_typed_before_does_not_replace_a_newer_one() -> None:
    link = StoringLink()
    async with terminal(link) as (app, pilot):
        link.held.add(p.ListConversations)
        await pilot.press("alt+h", "b")
        await settle(pilot)
        link.held.clear()
        await pilot.press("i", "r", "d")
        await settle(pilot)
        link.release()
        await settle(pilot)
        assert "History · 1" in screen_text(app)
        assert "Birds" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_titles_and_texts_are_shown_as_visible_characters(
    size: tuple[int, int],
) -> None:
    talks = {n: (title, (title, title)) for n, title in enumerate(HOSTILE_TITLES, 1)}
    async with terminal(StoringLink(talks), size) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        for _ in HOSTILE_TITLES:
            await pilot.press("tab")
        await settle(pilot)
        assert "\x1b" not in screen_text(app)
        assert "\u202e" not in screen_text(app)
        assert f"{len(HOSTILE_TITLES)} marked" in screen_text(app)


async def test_the_keys_of_the_settings_file_hold_here_and_are_shown() -> None:
    settings = Settings(keys={"history.delete": ("f8",)})
    async with terminal(StoringLink(), settings=settings) as (app, pilot):
        await pilot.press("alt+h")
        await settle(pilot)
        assert "f8 delete" in screen_text(app)
        await pilot.press("f8")
        await settle(pilot)
        assert "Delete “Pirate” for good?" in screen_text(app)
