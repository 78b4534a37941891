"""Two tabs side by side: one question to both, each with its own transcript and settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.ui.hands import shows
from tests.ui.scripted import (
    HOSTILE_TITLES,
    READY,
    SIZES,
    ScriptedLink,
    make_app,
    message,
    notes,
    screen_text,
    tab,
)
from textual.pilot import Pilot

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.own_events import PairShown, TabSelected
from gemma_chat.ui.pair import Pair, differences
from gemma_chat.ui.panes import PaneHead
from gemma_chat.ui.state import TerminalState, apply

PIRATE = SessionSettings(
    system_instruction="Answer as a pirate.", sampling=SamplingSettings(temperature=0.2)
)
THREE = (tab(1, "Plain"), tab(2, "Pirate", settings=PIRATE), tab(3, "Third"))


@asynccontextmanager
async def paired(
    size: tuple[int, int] = (120, 30),
) -> AsyncIterator[tuple[ScriptedLink, ChatApp, Pilot[None]]]:
    """Three tabs, of which the first two stand side by side; the first one is the active one."""
    link = ScriptedLink()
    link.stored = {
        1: (message(1, "left question"), message(2, "left reply", role="assistant")),
        2: (message(3, "right question"), message(4, "right reply", role="assistant")),
    }
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect(THREE)
        await pilot.pause()
        app.change(PairShown(Pair(1, 2)))
        while "right reply" not in screen_text(app):
            await pilot.pause()
        yield link, app, pilot


def heads(app: ChatApp) -> list[str]:
    return [head.render_line(0).text for head in app.window.query(PaneHead) if head.display]


async def test_both_conversations_stand_beside_each_other_with_what_differs() -> None:
    async with paired() as (_link, app, _pilot):
        row = next(line for line in screen_text(app).splitlines() if "left reply" in line)
        assert "right reply" in row
        left, right = heads(app)
        assert left.startswith("▎→ 1 Plain")
        assert right.startswith(" → 2 Pirate")
        assert "“Answer as a pirate.” · temperature 0.2" in right
        assert "no instruction · temperature" in left
        assert app.window.composer.border_title == "to both: 1 and 2"


async def test_a_question_goes_to_both_and_the_second_one_is_shown_as_waiting() -> None:
    async with paired() as (link, app, pilot):
        await pilot.press(*"why?", "enter")
        await pilot.pause()
        sent = [(each.session, each.text, each.after) for each in link.asked(p.SendMessage)]
        assert sent == [(1, "why?", 2), (2, "why?", 4)]
        assert app.window.composer.draft.empty
        lock = p.LockView(p.LockEntry(1, 1, "a", phase="generating"), (p.LockEntry(2, 1, "b"),))
        link.event(p.LockChanged(lock))
        await pilot.pause()
        assert "●" in heads(app)[0]
        assert "①" in heads(app)[1]


async def test_when_one_of_them_cannot_take_it_the_message_stays_as_its_draft() -> None:
    async with paired() as (link, app, pilot):
        await pilot.press(*"why?")
        link.refuse_sessions = {2}
        await pilot.press("enter")
        await pilot.pause()
        assert any("refused 2" in note for note in notes(app))
        assert app.window.composer.draft.empty
        second = app.state.tab(2)
        assert second is not None
        assert second.draft.text == "why?"


async def test_text_streams_into_each_pane_and_the_cursor_of_the_other_stays_away() -> None:
    async with paired() as (link, app, pilot):
        for session, number, words in ((1, 6, "to the left"), (2, 8, "to the right")):
            view = message(number, "", role="assistant", turn=5, state="streaming")
            link.event(p.MessageChanged(session, 5, view))
            link.event(p.TurnText(session, 5, number, 0, words))
        await shows(pilot, "to the left", "to the right")
        row = next(line for line in screen_text(app).splitlines() if "to the left" in line)
        assert "to the right" in row


async def test_one_key_sends_to_the_left_then_to_the_right_then_to_both() -> None:
    async with paired() as (_link, app, pilot):
        seen = []
        for _ in range(3):
            await pilot.press("f6")
            await pilot.pause()
            seen.append((app.state.recipients, app.window.composer.border_title))
        assert seen == [
            ((1,), "to 1 only"),
            ((2,), "to 2 only"),
            ((1, 2), "to both: 1 and 2"),
        ]


async def test_what_is_typed_goes_along_to_the_other_one_unless_something_stands_there() -> None:
    async with paired() as (link, app, pilot):
        await pilot.press(*"ahoy", "f6", "f6")
        await pilot.pause()
        assert app.window.composer.editor.text == "ahoy"
        await pilot.press("enter")
        await pilot.pause()
        assert [each.session for each in link.asked(p.SendMessage)] == [2]
        await pilot.press(*"mine", "f6", "!", "f6")
        await pilot.pause()
        assert app.window.composer.editor.text == "mine!"


async def test_drafts_that_both_have_are_not_mixed() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect((tab(1, "A", draft="one"), tab(2, "B", draft="two")))
        await pilot.pause()
        app.change(PairShown(Pair(1, 2)))
        shown = []
        for _ in range(3):
            await pilot.press("f6")
            await pilot.pause()
            shown.append(app.window.composer.editor.text)
        assert shown == ["one", "two", "one"]


async def test_a_click_on_a_head_sends_to_that_one_only_and_again_to_both() -> None:
    async with paired() as (_link, app, pilot):
        right = app.window.panes.right.head
        await pilot.click(right, offset=(5, 0))
        await pilot.pause()
        assert app.state.recipients == (2,)
        await pilot.click(right, offset=(5, 0))
        await pilot.pause()
        assert app.state.recipients == (1, 2)


async def test_a_click_on_a_message_makes_its_pane_the_active_one_and_both_still_get_it() -> None:
    async with paired() as (_link, app, pilot):
        await pilot.press(*"typed", "alt+up")
        assert (app.state.active, app.state.selected) == (1, 2)
        await pilot.click(app.window.panes.right, offset=(6, 2))
        await pilot.pause()
        assert (app.state.active, app.state.selected) == (2, 3)
        left = app.window.panes.left.transcript
        assert left is not None
        assert left.selected == 0
        assert app.state.recipients == (1, 2)
        await pilot.press("escape")
        assert app.window.composer.editor.text == "typed"


async def test_an_edited_message_goes_back_to_its_own_tab_only() -> None:
    async with paired() as (link, app, pilot):
        await pilot.press(*"later")
        await pilot.click(app.window.panes.right, offset=(6, 2))
        await pilot.pause()
        await pilot.press("e")
        await pilot.pause()
        assert app.window.composer.editor.text == "right question"
        await pilot.press("!", "enter")
        await pilot.pause()
        edited = [(each.session, each.message, each.text) for each in link.asked(p.EditMessage)]
        assert edited == [(2, 3, "right question!")]
        assert link.asked(p.SendMessage) == []
        assert app.window.composer.editor.text == "later"


async def test_escape_stops_one_reply_after_the_other() -> None:
    async with paired() as (link, _app, pilot):
        first = p.LockEntry(1, 7, "a", phase="generating")
        second = p.LockEntry(2, 8, "b")
        link.event(p.LockChanged(p.LockView(first, (second,))))
        await pilot.pause()
        await pilot.press("escape")
        link.event(p.LockChanged(p.LockView(second)))
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert [(each.session, each.turn) for each in link.asked(p.StopTurn)] == [(1, 7), (2, 8)]


async def test_another_tab_is_shown_alone_and_the_pair_is_there_again_afterwards() -> None:
    async with paired() as (_link, app, pilot):
        await pilot.press("alt+3")
        await pilot.pause()
        assert heads(app) == []
        assert "left reply" not in screen_text(app)
        await pilot.press("alt+2")
        await pilot.pause()
        assert len(heads(app)) == 2
        assert app.state.active == 2
        assert "left reply" in screen_text(app)
        assert "right reply" in screen_text(app)


@pytest.mark.parametrize(("gone", "left"), [(1, 2), (2, 1)])
async def test_when_one_of_the_two_is_closed_the_other_stays_with_its_draft(
    gone: int, left: int
) -> None:
    async with paired() as (link, app, pilot):
        link.event(p.SessionClosed(gone))
        await pilot.pause()
        assert app.state.pair is None
        assert app.state.active == left
        assert heads(app) == []
        words = "left reply" if left == 1 else "right reply"
        assert words in screen_text(app)
        await pilot.press(*"go on", "enter")
        await pilot.pause()
        assert [each.session for each in link.asked(p.SendMessage)] == [left]


async def test_a_host_that_came_back_without_one_of_the_two_ends_the_pair() -> None:
    async with paired() as (link, app, pilot):
        link.phase("lost", "It died.")
        link.connect((THREE[0], THREE[2]))
        await pilot.pause()
        assert app.state.pair is None
        link.connect(THREE)
        await pilot.pause()
        assert heads(app) == []


async def test_alt_s_ends_it_and_the_active_one_stays() -> None:
    async with paired() as (_link, app, pilot):
        await pilot.press(*"kept", "alt+s")
        await pilot.pause()
        assert app.state.pair is None
        assert app.state.active == 1
        assert heads(app) == []
        assert app.window.composer.editor.text == "kept"


async def test_a_fork_a_new_tab_and_an_open_one_are_offered_to_stand_beside() -> None:
    link = ScriptedLink()
    app = make_app(link)
    link.stored = {1: (message(1, "q"), message(2, "a", role="assistant"))}
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("alt+s")
        await pilot.pause()
        for words in ("a fork of this tab", "a new tab with a role", "2 Pirate", "3 Third"):
            assert words in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert [(each.session, each.message) for each in link.asked(p.ForkFrom)] == [(1, 2)]
        assert app.state.pair is not None
        assert app.state.pair.left == 1
        assert app.state.active == app.state.pair.right


async def test_a_role_opens_a_tab_that_differs_by_it_alone() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("alt+s", *"role", "enter")
        await pilot.pause()
        await pilot.press(*"pirate", "enter")
        await pilot.pause()
        await pilot.pause()
        (opened,) = link.asked(p.OpenSession)
        assert opened.settings is not None
        assert "pirate" in opened.settings.system_instruction
        assert app.state.shown_pair is not None


@pytest.mark.parametrize(
    ("typed", "right"), [("/compare 2", 2), ("/compare Third", 3), ("/compare pirate", 51)]
)
async def test_the_command_takes_a_number_a_title_or_a_role(typed: str, right: int) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press(*typed, "escape", "enter")
        await pilot.pause()
        await pilot.pause()
        assert app.state.pair == Pair(1, right)


async def test_a_command_that_names_nothing_says_so_and_stays_in_the_input() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press(*"/compare 1", "enter")
        await pilot.pause()
        assert any("no other tab and no role '1'" in note for note in notes(app))
        assert app.window.composer.editor.text == "/compare 1"


async def test_the_key_says_so_when_nothing_stands_side_by_side() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press("f6")
        await pilot.pause()
        assert any("No two tabs stand side by side" in note for note in notes(app))


@pytest.mark.parametrize(
    ("size", "seen"),
    [((80, 24), "beside"), ((79, 30), "stacked"), ((60, 30), "stacked"), ((40, 10), "single")],
)
async def test_a_smaller_window_stacks_them_or_shows_the_active_one(
    size: tuple[int, int], seen: str
) -> None:
    async with paired() as (_link, app, pilot):
        await pilot.resize_terminal(*size)
        await pilot.pause()
        left, right = app.window.panes.left, app.window.panes.right
        shown = [pane.size.height > 0 and pane.display for pane in (left, right)]
        match seen:
            case "beside":
                assert left.region.y == right.region.y
                assert abs(left.size.width - right.size.width) <= 1
            case "stacked":
                assert left.region.bottom == right.region.y
            case _:
                assert shown == [True, False]
                assert "1 of 2: too small" in heads(app)[0]
                app.change(TabSelected(2))
                await pilot.pause()
                assert "right reply" in screen_text(app)
        await pilot.resize_terminal(120, 30)
        await pilot.pause()
        assert left.region.y == right.region.y


async def test_a_layout_that_textual_worked_out_beforehand_is_drawn_as_any_other() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        link.event(p.MessageChanged(1, 1, message(10, "said at last")))
        app.take_events()
        # As after the input scrolled: to tell where its cursor is, the whole map is made anew,
        # and the widgets that get another place by it are sent no resize event.
        app.window._compositor._full_map_invalidated = True
        assert app.window.composer.editor.region.height
        await pilot.pause()
        await pilot.pause()
        assert "said at last" in screen_text(app)
        app.change(PairShown(Pair(1, 2)))
        await pilot.pause()
        assert app.window.panes.left.region.y == app.window.panes.right.region.y


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_titles_and_instructions_stay_within_the_heads(
    size: tuple[int, int],
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        views = [
            tab(n, title, settings=SessionSettings(system_instruction=title[:2000]))
            for n, title in enumerate(HOSTILE_TITLES, 1)
        ]
        link.connect(views)
        await pilot.pause()
        for n in range(1, len(views)):
            app.change(PairShown(Pair(n, n + 1)))
            app.change(TabSelected(n))
            await pilot.pause()
            for pane in (app.window.panes.left, app.window.panes.right):
                strip = pane.head.render_line(0)
                assert strip.cell_length == pane.head.size.width
                assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in strip.text)


async def test_a_reply_in_either_pane_counts_as_read() -> None:
    async with paired() as (link, app, pilot):
        link.event(p.SessionChanged(tab(2, "Pirate", unread=True, turn=3)))
        await pilot.pause()
        assert [each.session for each in link.asked(p.MarkRead)] == [2]
        assert "✓" not in app.window.tab_bar.render_line(0).text


async def test_each_pane_keeps_where_its_reader_stands() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.stored = {
            n: tuple(message(10 * n * 100 + i, f"line {i}\n\nmore", turn=i) for i in range(1, 60))
            for n in (1, 2)
        }
        link.connect(THREE)
        await pilot.pause()
        app.change(PairShown(Pair(1, 2)))
        await pilot.pause()
        right = app.window.panes.right.transcript
        assert right is not None
        while not right.max_scroll_y:
            await pilot.pause()
        right.scroll_home(animate=False)
        await pilot.pause()
        first, second = app.state.tab(1), app.state.tab(2)
        assert first is not None
        assert second is not None
        assert first.scroll.follow
        assert not second.scroll.follow


async def test_a_terminal_begins_with_the_two_tabs_that_stood_side_by_side_last() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        tabs = [msgspec.structs.replace(one, looked_at=one.session % 3) for one in THREE]
        link.connect(tabs, pair=p.TabPair(1, 2, to_both=False))
        await pilot.pause()
        await pilot.pause()
        assert app.state.shown_pair == Pair(1, 2, to_both=False)
        assert app.window.composer.border_title == "to 2 only"
        assert len(heads(app)) == 2
        assert not link.asked(p.PairTabs)


async def test_the_host_is_told_who_stands_side_by_side_and_who_gets_the_message() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 30)) as pilot:
        link.connect(THREE)
        await pilot.pause()
        await pilot.press(*"/compare 2", "escape", "enter")
        await pilot.pause()
        await pilot.press("f6")
        await pilot.press("f6")
        await pilot.press("alt+s")
        await pilot.pause()
        told = [each.pair for each in link.asked(p.PairTabs)]
        assert told == [Pair(1, 2), Pair(1, 2, to_both=False), None]


def test_the_pair_of_the_host_counts_only_where_nothing_is_shown_yet() -> None:
    def told(*views: p.SessionView, pair: p.TabPair | None) -> p.Snapshot:
        return p.Snapshot(views, p.LockView(), READY, p.SummarizerView(), pair=pair)

    begun = apply(TerminalState(), told(*THREE, pair=p.TabPair(2, 3)))
    assert begun.pair == Pair(2, 3)
    own = apply(begun, PairShown(None))
    assert apply(own, told(*THREE, pair=p.TabPair(2, 3))).pair is None
    assert apply(TerminalState(), told(*THREE[:2], pair=p.TabPair(2, 3))).pair is None


def test_differences_are_named_once_and_none_for_the_same_settings() -> None:
    assert differences(PIRATE, PIRATE) == ()
    plain = SessionSettings(sampling=SamplingSettings(temperature=0.2, top_k=5))
    named = SessionSettings(
        sampling=SamplingSettings(temperature=0.2, top_k=5, random_seed=None, stop=("x",)),
        enable_thinking=True,
        lora_path="pirate.gguf",
    )
    assert "other stop" in differences(named, plain)
    assert "thinks" in differences(named, plain)
    assert "other adapter" in differences(named, plain)
    assert "no adapter" in differences(plain, named)
