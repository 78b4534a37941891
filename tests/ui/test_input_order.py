"""Keys, clicks and pastes that come in one bundle act in the order in which they came."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.ui.hands import HeldBack
from tests.ui.scripted import ScriptedLink, make_app, message, tab
from textual import events
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui import input_order
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.input import files

TABS = (tab(1, "Sea"), tab(2, "Sky"), tab(3, "Sand"))


def send(app: ChatApp, *keys: str | events.Event) -> None:
    """All of it at once, as it comes in one packet."""
    for key in keys:
        event = key if isinstance(key, events.Event) else events.Key(key, character_of(key))
        app.post_message(event)


def character_of(key: str) -> str | None:
    return key if len(key) == 1 else None


def click(app: ChatApp, word: str) -> Iterable[events.Event]:
    """The left button, pressed and released on a word of the tab bar."""
    x, y = app.window.tab_bar.render_line(0).text.index(word), 0
    for kind in (events.MouseDown, events.MouseUp):
        yield kind(None, x, y, 0, 0, 1, False, False, False, x, y)


@asynccontextmanager
async def three_tabs() -> AsyncIterator[tuple[ScriptedLink, ChatApp, Pilot[None]]]:
    """The program with its tabs shown."""
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        yield link, app, pilot


async def settle(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


async def settle_but_the_host(pilot: Pilot[None]) -> None:
    for _ in range(3):
        await pilot.pause()


def drafts(app: ChatApp) -> dict[int, str]:
    """What stands in the input of each tab."""
    app.store_draft()
    return {tab.session: tab.draft.full for tab in app.state.tabs}


def sent(link: ScriptedLink) -> list[tuple[int, str]]:
    return [(request.session, request.text) for request in link.asked(p.SendMessage)]


async def test_letters_land_in_the_tab_that_was_shown_when_they_were_typed() -> None:
    async with three_tabs() as (_, app, pilot):
        send(app, *"sea", "alt+right", *"sky", "ctrl+pagedown", *"sand", "alt+1", *"!")
        await settle(pilot)
        assert drafts(app) == {1: "sea!", 2: "sky", 3: "sand"}


async def test_letters_before_a_click_on_another_tab_stay_in_the_first() -> None:
    async with three_tabs() as (_, app, pilot):
        send(app, *"sea", *click(app, "Sand"), *"sand", *click(app, "Sky"), *"sky")
        await settle(pilot)
        assert drafts(app) == {1: "sea", 2: "sky", 3: "sand"}


async def test_what_follows_enter_is_the_next_message_and_each_goes_to_its_tab() -> None:
    async with three_tabs() as (link, app, pilot):
        send(app, *"one", "enter", *"two", "enter", "alt+right", *"three", "enter", *"rest")
        await settle(pilot)
        assert sent(link) == [(1, "one"), (1, "two"), (2, "three")]
        assert drafts(app) == {1: "", 2: "rest", 3: ""}


async def test_a_paste_goes_where_it_was_pasted() -> None:
    large = "line\n" * 5_000
    async with three_tabs() as (_, app, pilot):
        send(app, "a", events.Paste("b"), "alt+right", events.Paste(large), "alt+right", "c")
        await settle(pilot)
        assert drafts(app) == {1: "ab", 2: large, 3: "c"}


async def test_letters_after_the_key_for_a_new_tab_land_in_the_new_tab() -> None:
    async with three_tabs() as (link, app, pilot):
        link.held = {p.OpenSession}
        send(app, *"sea", "ctrl+t", *"new")
        await link.is_asked(p.OpenSession)
        await pilot.pause()
        link.release()
        await settle(pilot)
        assert drafts(app) == {1: "sea", 2: "", 3: "", 51: "new"}


async def test_letters_after_the_key_that_takes_a_file_stand_behind_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.md").write_text("wide")
    monkeypatch.chdir(tmp_path)
    reading = HeldBack(files.file_text)
    monkeypatch.setattr(files, "file_text", reading)
    async with three_tabs() as (_, app, pilot):
        send(app, *"see @no")
        await settle(pilot)
        send(app, "tab", *"and", "alt+right", *"sky")
        await reading.let_go()
        await settle(pilot)
        assert drafts(app)[1].startswith("see `notes.md` and\n\nFile")
        assert drafts(app)[2] == "sky"


async def test_letters_after_a_close_land_in_the_tab_that_is_shown_then() -> None:
    async with three_tabs() as (link, app, pilot):
        send(app, "alt+right", *"sky", "alt+w", *"next", "alt+u", "x")
        await settle(pilot)
        shown = app.state.active
        assert shown == 2
        assert link.asked(p.SaveDraft)[0].text == "sky"
        left = drafts(app)
        assert "next" in left.values()
        assert left[2].endswith("x")


async def test_letters_wait_for_a_tab_as_long_as_the_host_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_order, "PATIENCE", 0.01)
    async with three_tabs() as (link, app, pilot):
        link.held = {p.OpenSession}
        send(app, "ctrl+t", *"new")
        await link.is_asked(p.OpenSession)
        await settle_but_the_host(pilot)
        send(app, *"er")
        await settle_but_the_host(pilot)
        link.release()
        await settle(pilot)
        assert drafts(app) == {1: "", 2: "", 3: "", 51: "newer"}


async def test_a_host_that_does_not_answer_holds_the_keyboard_no_longer() -> None:
    async with three_tabs() as (link, app, pilot):
        link.held = {p.OpenSession}
        send(app, "ctrl+t", *"still here")
        await link.is_asked(p.OpenSession)
        link.phase("silent", "The host (pid 7) does not answer.")
        while drafts(app)[1] != "still here":
            await pilot.pause()
        link.release()


async def test_who_wants_to_leave_does_not_wait_for_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_order, "PATIENCE", 0.01)
    async with three_tabs() as (link, app, _):
        link.held = {p.OpenSession}
        send(app, "ctrl+t", *"kept", "ctrl+q")
        await link.is_asked(p.Goodbye)
        assert link.asked(p.SaveDraft)[-1].text == "kept"
        link.release()


async def test_letters_after_the_key_of_a_list_are_typed_into_the_list() -> None:
    async with three_tabs() as (link, app, pilot):
        send(app, *"sea", "ctrl+g", *"sand", "enter", *"here", "f2", *"!", "enter", *"too")
        await settle(pilot)
        assert drafts(app) == {1: "sea", 2: "", 3: "heretoo"}
        assert [request.title for request in link.asked(p.RenameSession)] == ["!"]


async def test_a_message_is_selected_and_edited_in_one_bundle() -> None:
    link = ScriptedLink()
    app = make_app(link)
    link.stored[1] = (message(1, "first"), message(2, "reply", role="assistant"))
    async with app.run_test() as pilot:
        link.connect(TABS)
        await settle(pilot)
        send(app, *"draft", "alt+up", "alt+up", "e", *" more", "enter", *"!")
        await settle(pilot)
        edits = link.asked(p.EditMessage)
        assert [(edit.message, edit.text) for edit in edits] == [(1, "first more")]
        assert drafts(app)[1] == "draft!"


async def test_however_keys_are_bundled_they_mean_the_same() -> None:
    chance = random.Random(5)
    async with three_tabs() as (link, app, pilot):
        expected = {1: "", 2: "", 3: ""}
        expected_sent: list[tuple[int, str]] = []
        at = 0
        keys: list[str] = []
        for _ in range(400):
            key = chance.choice((*"abcdef", "alt+right", "alt+left", "enter", "backspace"))
            keys.append(key)
            session = at + 1
            match key:
                case "alt+right":
                    at = (at + 1) % 3
                case "alt+left":
                    at = (at - 1) % 3
                case "backspace":
                    expected[session] = expected[session][:-1]
                case "enter":
                    if expected[session]:
                        expected_sent.append((session, expected[session]))
                    expected[session] = ""
                case letter:
                    expected[session] += letter
        while keys:
            bundle = chance.randint(1, 40)
            send(app, *keys[:bundle])
            keys = keys[bundle:]
            await pilot.pause()
        await settle(pilot)
        assert sent(link) == expected_sent
        assert drafts(app) == expected


async def test_events_of_the_host_do_not_wait_for_the_keyboard() -> None:
    async with three_tabs() as (link, app, pilot):
        link.held = {p.OpenSession}
        send(app, "ctrl+t", *"new")
        await link.is_asked(p.OpenSession)
        link.event(p.SessionChanged(tab(2, "Renamed"), origin=1))
        app.take_events()
        await pilot.pause()
        assert app.state.tabs[1].title == "Renamed"
        link.release()
        await settle(pilot)
