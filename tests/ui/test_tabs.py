"""Tabs in the window: opening, closing, switching, and what each keeps for itself."""

from __future__ import annotations

import pytest
from tests.ui.scripted import ANOTHER, ScriptedLink, make_app, message, screen_text, tab

from gemma_chat.host import protocol as p
from gemma_chat.ui.own_events import TabSelected

THREE = (tab(1, "Pirate"), tab(2, "Tutor"), tab(3, "Reviewer"))


async def test_the_first_start_opens_a_tab() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect()
        await pilot.pause()
        await pilot.pause()
        assert len(link.asked(p.OpenSession)) == 1
        assert len(app.state.tabs) == 1
        assert app.state.active_tab is app.state.tabs[0]


async def test_ctrl_t_opens_a_tab_and_shows_it() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert app.state.number(app.state.active) == 4


async def test_a_closed_tab_comes_back_by_alt_u() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("alt+w")
        await pilot.pause()
        assert [each.session for each in app.state.tabs] == [2, 3]
        assert any("alt+u" in note.message for note in app._notifications)
        await pilot.press("alt+u")
        await pilot.pause()
        assert [request.session for request in link.asked(p.ReopenSession)] == [1]
        assert app.state.active == 1


@pytest.mark.parametrize(
    ("keys", "active"),
    [
        (("ctrl+pagedown",), 2),
        (("alt+right", "alt+right"), 3),
        (("ctrl+pageup",), 3),
        (("alt+left", "alt+left"), 2),
        (("alt+3",), 3),
        (("alt+9",), 1),
    ],
)
async def test_keys_go_to_neighbours_and_numbers(keys: tuple[str, ...], active: int) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press(*keys)
        assert app.state.active == active


async def test_each_tab_keeps_its_own_draft_and_the_host_is_told_on_switching() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "Pirate"), tab(2, "Tutor", draft="kept by the host")))
        await pilot.pause()
        await pilot.press(*"ahoy", "ctrl+pagedown")
        await pilot.pause()
        assert app.window.composer.editor.text == "kept by the host"
        assert [(r.session, r.text) for r in link.asked(p.SaveDraft)] == [(1, "ahoy")]
        await pilot.press("ctrl+pageup")
        await pilot.pause()
        assert app.window.composer.editor.text == "ahoy"


async def test_a_draft_that_is_gone_on_with_takes_the_place_of_the_hosts_once() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "Pirate", draft="half a "), tab(2, "Tutor")))
        await pilot.pause()
        for round_ in (1, 2):
            for key in ("x", "y"):
                await pilot.press(key, "ctrl+pagedown")
                await pilot.pause()
                await pilot.press("ctrl+pageup")
                await pilot.pause()
            said = [(one.text, one.begun) for one in link.asked(p.SaveDraft)]
            assert said == [("half a x", "from_the_hosts"), ("half a xy", "here")] * round_
            link.event(p.SessionClosed(1))
            await pilot.pause()
            link.event(p.SessionChanged(tab(1, "Pirate", draft="half a ")))
            await pilot.pause()
            await pilot.press("ctrl+pageup")
            await pilot.pause()


async def test_a_draft_typed_here_from_the_first_letter_leaves_what_others_left() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("x", "ctrl+pagedown")
        await pilot.pause()
        assert link.asked(p.SaveDraft) == [p.SaveDraft(0, 1, "x", "here")]


async def test_a_draft_of_the_host_follows_it_in_the_input_until_it_is_touched() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "Pirate", draft="half"),))
        await pilot.pause()
        link.event(p.SessionChanged(tab(1, "Pirate", draft="half a thought"), origin=ANOTHER))
        await pilot.pause()
        assert app.window.composer.editor.text == "half a thought"
        await pilot.press("!")
        link.event(p.SessionChanged(tab(1, "Pirate"), origin=ANOTHER))
        await pilot.pause()
        assert app.window.composer.editor.text == "half a thought!"


async def test_what_is_typed_before_there_is_a_tab_is_not_lost() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        await pilot.press(*"early")
        link.connect(THREE)
        await pilot.pause()
        assert app.window.composer.editor.text == "early"


async def test_another_terminals_draft_does_not_disturb_typing() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press(*"mine")
        link.event(p.SessionChanged(tab(1, "Pirate", draft="theirs"), origin=ANOTHER))
        await pilot.pause()
        assert app.window.composer.editor.text == "mine"


async def test_a_tab_that_another_terminal_opened_or_closed_appears_and_goes() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        link.event(p.SessionChanged(tab(4, "theirs"), origin=ANOTHER))
        await pilot.pause()
        assert app.state.active == 1
        link.event(p.SessionClosed(1))
        await pilot.pause()
        assert app.state.active == 2
        assert "Tutor" in app.window.tab_bar.render_line(0).text


async def test_a_reply_that_finished_elsewhere_is_marked_and_read_when_shown() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        link.event(p.SessionChanged(tab(2, "Tutor", unread=True, turn=1)))
        await pilot.pause()
        assert "2 Tutor ✓" in app.window.tab_bar.render_line(0).text
        assert link.asked(p.MarkRead) == []
        await pilot.press("ctrl+pagedown")
        await pilot.pause()
        assert [request.session for request in link.asked(p.MarkRead)] == [2]


async def test_every_reply_of_several_in_a_row_is_read_while_its_tab_is_looked_at() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        for unread in (True, False, True):
            # The tab tells the newest turn, which still waits, while the earlier ones end.
            link.event(p.SessionChanged(tab(1, "Pirate", unread=unread, turn=4)))
            await pilot.pause()
        assert [request.session for request in link.asked(p.MarkRead)] == [1, 1]


async def test_renaming_sends_one_clean_line() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("f2")
        await pilot.pause()
        await pilot.press("end", *"!  x", "enter")
        await pilot.pause()
        assert [r.title for r in link.asked(p.RenameSession)] == ["Pirate! x"]


async def test_escape_leaves_the_title_as_it_was() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("f2", "x", "escape")
        await pilot.pause()
        assert link.asked(p.RenameSession) == []
        assert app.focused is app.window.composer.editor


async def test_without_any_tab_the_page_says_how_to_open_one() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "only"),))
        await pilot.pause()
        await pilot.press("alt+w")
        await pilot.pause()
        assert app.state.tabs == ()
        assert app.window.welcome.display
        assert "No tab is open" in app.window.welcome.text


async def test_switching_among_a_hundred_tabs_fetches_each_once() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(number, f"chat {number}") for number in range(1, 101)])
        await pilot.pause()
        for _ in range(101):
            app.change(TabSelected(app.state.neighbour(1)))
        await pilot.pause()
        fetched = [request.session for request in link.asked(p.FetchMessages)]
        assert sorted(fetched) == list(range(1, 101))
        assert app.state.active == 2


async def test_a_tab_that_was_shown_before_is_shown_again_without_asking() -> None:
    link = ScriptedLink()
    link.stored = {1: (message(1, "first question"),), 2: (message(9, "other question"),)}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "a", message_count=1), tab(2, "b", message_count=1)))
        await pilot.pause()
        await pilot.press("ctrl+pagedown", "ctrl+pagedown")
        await pilot.pause()
        assert len(link.asked(p.FetchMessages)) == 2
        assert app.window.transcript is not None
        assert "first question" in screen_text(app)
