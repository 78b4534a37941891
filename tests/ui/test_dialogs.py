"""What stands before the window for a moment: help, jump list, palette, themes."""

from __future__ import annotations

import pytest
from tests.ui.hands import shows, until
from tests.ui.scripted import (
    HOSTILE_TITLES,
    OWN,
    READY,
    SIZES,
    ScriptedLink,
    make_app,
    notes,
    screen_text,
    tab,
)
from textual.app import SystemCommand
from textual.color import Color
from textual.widgets import OptionList

from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.help import HelpScreen
from gemma_chat.ui.jump_list import matching
from gemma_chat.ui.palette import Palette
from gemma_chat.ui.palette import matching as matching_commands
from gemma_chat.ui.state import TerminalState, apply
from gemma_chat.ui.theme_list import ThemeList
from gemma_chat.ui.themes import OWN_THEMES

TABS = (tab(1, "Pirate"), tab(2, "Tutor"), tab(3, "Code Reviewer", failed=True))


def state_of(*views: p.SessionView) -> TerminalState:
    snapshot = p.Snapshot(views, p.LockView(), READY, p.SummarizerView())
    return apply(TerminalState(own=OWN), snapshot)


@pytest.mark.parametrize(
    ("wanted", "sessions"),
    [("", [1, 2, 3]), ("rev", [3]), ("tut", [2]), ("2", [2]), ("zzz", []), ("cr", [3])],
)
def test_a_few_letters_or_a_number_find_a_tab(wanted: str, sessions: list[int]) -> None:
    found = matching(state_of(*TABS), wanted)
    assert [each.session for _, each in found] == sessions


async def test_the_jump_list_goes_to_the_tab_that_was_found() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert "! the last reply failed" in screen_text(app)
        await pilot.press("r", "e", "v", "enter")
        await pilot.pause()
        assert app.state.active == 3


async def test_arrows_choose_and_escape_leaves_everything_as_it_was() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press("ctrl+g", "down", "escape")
        assert app.state.active == 1
        await pilot.press("ctrl+g", "down", "enter")
        await pilot.pause()
        assert app.state.active == 2


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_titles_can_be_listed_and_chosen(size: tuple[int, int]) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect([tab(n, title) for n, title in enumerate(HOSTILE_TITLES, 1)])
        await pilot.pause()
        await pilot.press("ctrl+g", "down", "enter")
        await pilot.pause()
        assert app.state.active == 2


async def test_keys_of_the_window_do_nothing_while_a_dialog_is_open() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS, lock=p.LockView(p.LockEntry(1, 1, "Pirate", phase="generating")))
        await pilot.pause()
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("ctrl+t", "alt+w", "alt+2", "escape")
        await pilot.pause()
        assert app.state.active == 1
        assert not link.asked(p.OpenSession)
        assert not link.asked(p.StopTurn)
        assert app.screen is app.window


@pytest.mark.parametrize("size", SIZES)
async def test_help_fits_and_scrolls_in_every_window(size: tuple[int, int]) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f1")
        await pilot.pause()
        assert "Messages" in screen_text(app)
        await pilot.press("end")
        await pilot.pause()
        assert "last reply failed" in screen_text(app)


async def test_the_palette_switches_to_a_tab_by_its_title() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press("ctrl+p")
        await pilot.pause()
        assert isinstance(app.screen, Palette)
        await pilot.press(*"Switch Tut", "enter")
        await until(pilot, lambda: app.state.active == 2)


def test_the_palette_begins_with_what_begins_with_the_letters() -> None:
    found = matching_commands(
        [
            SystemCommand("Stop this tab's reply", "", print),
            SystemCommand("New tab", "", print),
            SystemCommand("Forget", "Also in a tab", print),
            SystemCommand("Tabs of a group", "", print),
            SystemCommand("Take back", "", print),
            SystemCommand("Quit", "", print),
        ],
        "tab",
    )
    assert [command.title for command in found] == [
        "Tabs of a group",
        "New tab",
        "Stop this tab's reply",
        "Take back",
        "Forget",
    ]


def test_tabs_are_found_by_their_plural_and_before_words_that_only_begin_so() -> None:
    titles = ("Stop this tab's reply", "Allow a table", "Switch to tab 1 Notes of a voyage")
    found = matching_commands([SystemCommand(title, "", print) for title in titles], "tabs")
    assert [command.title for command in found] == [titles[2], titles[0]]


async def test_the_palette_takes_no_title_for_markup_and_is_recoloured_with_the_theme() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(80, 24)) as pilot:
        link.connect([tab(1, "[bold]one[/bold] [/] [")])
        await pilot.pause()
        await pilot.press("ctrl+p", *"tab")
        await pilot.pause()
        dark = Color.parse(app.theme_variables["ink-quiet"]).rich_color
        await until(pilot, lambda: dark in colours(app))
        app.theme = "gemma-light"
        await until(pilot, lambda: dark not in colours(app))
        assert Color.parse(app.theme_variables["ink-quiet"]).rich_color in colours(app)
        await pilot.press(*" one")
        await shows(pilot, "Switch to tab 1 [bold]one[/bold] [/] [")


def colours(app: ChatApp) -> set[object]:
    """All colours of letters on the screen."""
    strips = app.screen._compositor.render_strips()
    return {segment.style.color for strip in strips for segment in strip if segment.style}


async def test_a_marked_theme_is_shown_and_escape_goes_back() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        app.push_screen(ThemeList())
        await pilot.pause()
        names = [option.id for option in app.screen.query_one(OptionList).options]
        assert sorted(names[:5]) == sorted(OWN_THEMES)
        before = app.theme
        await pilot.press("down")
        await pilot.pause()
        assert app.theme != before
        await pilot.press("escape")
        await pilot.pause()
        assert app.theme == before


async def test_a_chosen_theme_is_stored_and_a_failure_to_store_is_told() -> None:
    stored: list[str] = []

    def keep(name: str) -> None:
        stored.append(name)
        if len(stored) > 1:
            raise SettingsError("The settings file [x] is damaged.")

    link = ScriptedLink()
    app = make_app(link, keep_theme=keep)
    async with app.run_test() as pilot:
        for _ in range(2):
            app._commands.choose_theme()
            await pilot.pause()
            await pilot.press("down", "enter")
            await pilot.pause()
        assert stored[0] == app.theme or len(stored) == 2
        assert "The settings file [x] is damaged." in notes(app)


@pytest.mark.parametrize("theme", [*OWN_THEMES, "ansi-dark", "ansi-light", "textual-light"])
async def test_every_theme_draws_every_place(theme: str) -> None:
    link = ScriptedLink()
    app = make_app(link, theme=theme)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect(TABS, lock=p.LockView(p.LockEntry(1, 1, "Pirate", phase="generating")))
        await pilot.pause()
        await pilot.press("f3", "f4", "f1")
        await pilot.pause()
        assert app.current_theme.name == theme
        assert app.is_running


async def test_a_host_that_was_given_up_is_looked_for_again_from_the_palette() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.phase("failed", "The host [pid] ended 3 times.")
        await pilot.pause()
        assert "The host [pid] ended 3 times." in screen_text(app)
        app._commands.run("host.retry")
        assert link.retries == 1


async def test_no_toast_covers_the_page_that_says_why_there_is_no_host() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.phase("failed", "The host ended 3 times.")
        await pilot.pause()
        assert "The host ended 3 times." in app.window.welcome.text
        assert notes(app) == []


async def test_over_a_conversation_a_toast_says_that_there_is_no_host() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1, "Pirate", message_count=2)])
        await pilot.pause()
        link.phase("failed", "The host ended 3 times.")
        await pilot.pause()
        assert notes(app) == ["The host ended 3 times."]
