"""Moving, pinning, marking and grouping tabs by keys, mouse, menu, commands and lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ui.scripted import (
    ANOTHER,
    HOSTILE_TITLES,
    OWN,
    READY,
    ScriptedLink,
    make_app,
    notes,
    screen_text,
    tab,
)
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.dragging import drop_place
from gemma_chat.ui.group_list import matching
from gemma_chat.ui.own_events import TabSelected
from gemma_chat.ui.state import TerminalState, apply
from gemma_chat.ui.tab_bar import TabBar, group_of, labels_of
from gemma_chat.ui.tab_groups import group_beside, groups_of, tab_to_show

THREE = (tab(1, "Pirate"), tab(2, "Tutor"), tab(3, "Reviewer"))
GROUPED = (
    tab(1, "Pirate"),
    tab(2, "Tutor"),
    tab(3, "Budget", group="Work"),
    tab(4, "Letter", group="Work"),
    tab(5, "Holiday", group="Home"),
)


@asynccontextmanager
async def shown(
    tabs: Sequence[p.SessionView], size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[ScriptedLink, ChatApp, Pilot[None]]]:
    """The program with these tabs on the screen."""
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect(tabs)
        await pilot.pause()
        yield link, app, pilot


def order(app: ChatApp) -> list[int]:
    return [each.session for each in app.state.tabs]


def bar(app: ChatApp) -> str:
    return app.window.tab_bar.render_line(0).text


def state_with(*views: p.SessionView) -> TerminalState:
    snapshot = p.Snapshot(views, p.LockView(), READY, p.SummarizerView())
    return apply(TerminalState(own=OWN), snapshot)


# ---------------------------------------------------------------- order


@pytest.mark.parametrize(
    ("keys", "sessions"),
    [
        (("alt+shift+right",), [2, 1, 3]),
        (("alt+shift+right", "alt+shift+right", "alt+shift+right"), [2, 3, 1]),
        (("ctrl+shift+pagedown",), [2, 1, 3]),
        (("alt+shift+left",), [1, 2, 3]),
        (("alt+3", "alt+shift+left"), [1, 3, 2]),
    ],
)
async def test_keys_move_the_tab_as_far_as_there_is_a_place(
    keys: tuple[str, ...], sessions: list[int]
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        assert order(app) == sessions


async def test_a_tab_is_dragged_to_its_place_and_the_bar_shows_it_meanwhile() -> None:
    async with shown(THREE) as (link, app, pilot):
        assert bar(app).startswith("▎1 Pirate  2 Tutor  3 Reviewer")
        await pilot.mouse_down(TabBar, offset=(3, 0))
        await pilot.hover(TabBar, offset=(18, 0))
        await pilot.pause()
        assert bar(app).startswith(" 2 Tutor ▎1 Pirate  3 Reviewer")
        assert link.asked(p.MoveTab) == []
        await pilot.mouse_up(TabBar, offset=(18, 0))
        await pilot.pause()
        assert [(each.session, each.place) for each in link.asked(p.MoveTab)] == [(1, 1)]
        assert order(app) == [2, 1, 3]
        assert app.state.active == 1


async def test_a_tab_that_is_dropped_where_it_was_is_not_moved() -> None:
    async with shown(THREE) as (link, _app, pilot):
        await pilot.mouse_down(TabBar, offset=(12, 0))
        await pilot.hover(TabBar, offset=(60, 0))
        await pilot.hover(TabBar, offset=(13, 0))
        await pilot.mouse_up(TabBar, offset=(13, 0))
        await pilot.pause()
        assert link.asked(p.MoveTab) == []
        assert link.asked(p.OpenSession) == []


async def test_a_drag_that_ends_on_the_plus_opens_no_tab() -> None:
    async with shown(THREE) as (link, app, pilot):
        plus = bar(app).index("+")
        await pilot.mouse_down(TabBar, offset=(3, 0))
        await pilot.hover(TabBar, offset=(plus, 0))
        await pilot.mouse_up(TabBar, offset=(plus, 0))
        await pilot.pause()
        assert link.asked(p.OpenSession) == []
        assert order(app) == [2, 3, 1]


async def test_a_tab_that_goes_while_it_is_dragged_is_let_go() -> None:
    async with shown(THREE) as (link, app, pilot):
        await pilot.mouse_down(TabBar, offset=(3, 0))
        await pilot.hover(TabBar, offset=(18, 0))
        link.event(p.SessionClosed(1))
        await pilot.pause()
        await pilot.hover(TabBar, offset=(5, 0))
        await pilot.mouse_up(TabBar, offset=(5, 0))
        await pilot.pause()
        assert order(app) == [2, 3]


@given(
    st.lists(st.integers(4, 30), min_size=1, max_size=12),
    st.integers(0, 11),
    st.integers(0, 5),
    st.integers(-5, 400),
)
def test_where_a_tab_is_dropped_is_a_place_among_those_it_may_have(
    widths: list[int], grabbed: int, pins: int, x: int
) -> None:
    sessions = list(range(1, len(widths) + 1))
    held = sessions[grabbed % len(sessions)]
    pins = min(pins, len(sessions))
    free = range(pins) if held <= pins else range(pins, len(sessions))
    places, at = [], 0
    for session, width in zip(sessions, widths, strict=True):
        places.append((at, at + width, session))
        at += width
    place = drop_place(sessions, free, places, held, x)
    assert place in free
    if x < 0:
        assert place == free.start
    if x > at:
        assert place == free.stop - 1


async def test_another_terminals_order_is_taken_over() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(THREE)
        await pilot.pause()
        link.event(p.TabsArranged((3, 1, 2)))
        await pilot.pause()
        assert order(app) == [3, 1, 2]
        assert app.state.active == 1
        assert "1 Reviewer ▎2 Pirate  3 Tutor" in bar(app)


@pytest.mark.parametrize("sessions", [(), (1, 2, 3), (9, 3, 3, 2), (3,)])
def test_an_order_that_does_not_fit_the_tabs_loses_none(sessions: tuple[int, ...]) -> None:
    state = apply(state_with(*THREE), p.TabsArranged(sessions))
    assert sorted(each.session for each in state.tabs) == [1, 2, 3]


# ---------------------------------------------------------------- pins and marks


async def test_a_pinned_tab_has_a_sign_stands_first_and_is_not_closed_by_any_way() -> None:
    async with shown(THREE) as (link, app, pilot):
        await pilot.press("alt+3", *"/pin", "enter")
        await pilot.pause()
        assert order(app) == [3, 1, 2]
        assert bar(app).startswith("▎1 ✱ Reviewer")
        await pilot.press("alt+w")
        await pilot.click(TabBar, offset=(3, 0), button=2)
        await pilot.press(*"/clear", "enter")
        await pilot.pause()
        assert link.asked(p.CloseSession) == []
        assert link.asked(p.OpenSession) == []
        assert any("pinned and stays open" in note for note in notes(app))
        await pilot.press(*"/pin", "enter")
        await pilot.pause()
        await pilot.press("alt+w")
        await pilot.pause()
        assert [each.session for each in link.asked(p.CloseSession)] == [3]


async def test_a_tab_is_not_dragged_past_the_pinned_ones() -> None:
    tabs = (tab(1, "Pirate", pinned=True), tab(2, "Tutor"), tab(3, "Reviewer"))
    async with shown(tabs) as (_link, app, pilot):
        third = bar(app).index("3 Rev")
        await pilot.mouse_down(TabBar, offset=(third, 0))
        await pilot.hover(TabBar, offset=(1, 0))
        await pilot.mouse_up(TabBar, offset=(1, 0))
        await pilot.pause()
        assert order(app) == [1, 3, 2]


async def test_a_mark_is_a_sign_in_the_bar_and_the_jump_list() -> None:
    async with shown(THREE) as (_link, app, pilot):
        await pilot.press(*"/mark star", "escape", "enter")
        await pilot.pause()
        assert bar(app).startswith("▎1 ★ Pirate")
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert "★ Pirate" in screen_text(app)
        await pilot.press("escape", *"/mark none", "escape", "enter")
        await pilot.pause()
        assert "★" not in bar(app)


async def test_the_menu_of_a_tab_opens_by_key_and_right_click_and_marks_it() -> None:
    async with shown(THREE) as (link, app, pilot):
        await pilot.click(TabBar, offset=(14, 0), button=3)
        await pilot.pause()
        assert app.state.active == 2
        assert "Put tab into a group" in screen_text(app)
        await pilot.press("m", "1")
        await pilot.pause()
        assert [(each.session, each.mark) for each in link.asked(p.MarkTab)] == [(2, "diamond")]
        await pilot.press("alt+m", "c")
        await pilot.pause()
        assert [each.session for each in link.asked(p.CloseSession)] == [2]


async def test_a_mark_that_does_not_exist_is_named_with_those_that_do() -> None:
    async with shown(THREE) as (link, app, pilot):
        await pilot.press(*"/mark banana", "enter")
        await pilot.pause()
        assert any("diamond, triangle" in note for note in notes(app))
        assert link.asked(p.MarkTab) == []


# ---------------------------------------------------------------- groups


async def test_without_groups_the_bar_shows_none_and_with_them_one_at_a_time() -> None:
    async with shown(THREE) as (link, app, pilot):
        assert bar(app).startswith("▎1 Pirate")
        link.connect(GROUPED)
        await pilot.pause()
        assert bar(app).startswith(" no group ▾ │ ▎1 Pirate  2 Tutor  + ")
        await pilot.press("alt+3")
        await pilot.pause()
        assert bar(app).startswith(" Work ▾ │ ▎3 Budget  4 Letter  + ")


async def test_next_and_previous_stay_in_the_group_and_so_does_closing() -> None:
    async with shown(GROUPED) as (_link, app, pilot):
        seen = []
        for key in ("alt+3", "ctrl+pagedown", "ctrl+pagedown", "ctrl+pageup"):
            await pilot.press(key)
            seen.append(app.state.active)
        assert seen == [3, 4, 3, 4]
        await pilot.press("alt+w")
        await pilot.pause()
        assert app.state.active == 3


async def test_a_click_on_the_group_lists_all_and_typing_finds_one() -> None:
    async with shown(GROUPED) as (_link, app, pilot):
        await pilot.click(TabBar, offset=(3, 0))
        await pilot.pause()
        text = screen_text(app)
        assert "2 tabs  ← here" in text
        assert "Work" in text
        assert "Home" in text
        await pilot.press(*"hm", "enter")
        await pilot.pause()
        assert app.state.active == 5


async def test_going_to_a_group_shows_the_tab_of_it_that_was_shown_last() -> None:
    async with shown(GROUPED) as (_link, app, pilot):
        await pilot.press("alt+4", "alt+2")
        await pilot.press("alt+g", *"work", "enter")
        await pilot.pause()
        assert app.state.active == 4
        app._commands.run("group.next")
        assert app.state.active == 5
        app._commands.run("group.next")
        assert app.state.active == 2
        app._commands.run("group.previous")
        assert app.state.active == 5


async def test_a_group_begins_with_a_name_and_new_tabs_open_in_it() -> None:
    async with shown(THREE) as (link, app, pilot):
        await pilot.press("alt+g", *"My work", "enter")
        await pilot.pause()
        grouped = [(each.sessions, each.group) for each in link.asked(p.GroupTabs)]
        assert grouped == [((1,), "My work")]
        assert app.state.active == 1
        assert bar(app).startswith(" My work ▾ │ ▎")
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert [each.group for each in link.asked(p.OpenSession)] == ["My work"]


@pytest.mark.parametrize(
    ("typed", "group"), [("/group Work", "Work"), ("/group none", ""), ("/group  a  b ", "a b")]
)
async def test_the_command_puts_the_tab_into_a_group(typed: str, group: str) -> None:
    async with shown(GROUPED) as (link, _app, pilot):
        await pilot.press(*typed, "enter")
        await pilot.pause()
        assert [each.group for each in link.asked(p.GroupTabs)] == [group]


async def test_a_name_that_is_too_long_is_refused_with_the_limit() -> None:
    async with shown(GROUPED) as (link, app, pilot):
        app.window.composer.editor.put("/group " + "x" * 41)
        await pilot.press("enter")
        await pilot.pause()
        assert any("41 characters; at most 40" in note for note in notes(app))
        assert link.asked(p.GroupTabs) == []


async def test_a_group_is_renamed_and_without_one_that_is_said() -> None:
    async with shown(GROUPED) as (link, app, pilot):
        app._commands.run("group.rename")
        await pilot.pause()
        assert any("in no group" in note for note in notes(app))
        await pilot.press("alt+3")
        app._commands.run("group.rename")
        await pilot.pause()
        await pilot.press("end", *" 2", "enter")
        await pilot.pause()
        assert [(each.group, each.name) for each in link.asked(p.RenameGroup)] == [
            ("Work", "Work 2")
        ]
        assert bar(app).startswith(" Work 2 ▾ │ ")


async def test_what_goes_on_in_other_groups_stands_beside_the_name() -> None:
    async with shown(GROUPED) as (link, app, pilot):
        link.event(p.SessionChanged(tab(3, "Budget", group="Work", unread=True), origin=ANOTHER))
        link.event(p.SessionChanged(tab(5, "Holiday", group="Home", unread=True), origin=ANOTHER))
        await pilot.pause()
        assert bar(app).startswith(" no group ▾ ✓2 │ ")
        link.event(p.SessionChanged(tab(5, "Holiday", group="Home", failed=True), origin=ANOTHER))
        await pilot.pause()
        assert bar(app).startswith(" no group ▾ !1 │ ")


async def test_the_jump_list_and_the_palette_find_tabs_by_their_group() -> None:
    async with shown(GROUPED, size=(100, 30)) as (_link, app, pilot):
        await pilot.press("ctrl+g", *"work let")
        await pilot.pause()
        assert "Letter  Work" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.state.active == 4
        titles = [each.title for each in app.get_system_commands(app.screen)]
        assert "Switch to group Work" in titles
        assert "Switch to group no group" in titles


@pytest.mark.parametrize("size", [(40, 10), (80, 24)])
async def test_hostile_names_of_groups_stay_within_the_bar_and_the_list(
    size: tuple[int, int],
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        names = [name for name in HOSTILE_TITLES if "\ud800" not in name]
        link.connect([tab(n, "chat", group=name) for n, name in enumerate(names, 1)])
        await pilot.pause()
        for each in list(app.state.tabs):
            app.change(TabSelected(each.session))
            await pilot.pause()
            strip = app.window.tab_bar.render_line(0)
            assert strip.cell_length == size[0]
            assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in strip.text)
        await pilot.press("alt+g")
        await pilot.pause()
        assert "Go to a group" in screen_text(app)


def test_groups_stand_in_the_order_of_their_tabs() -> None:
    state = state_with(*GROUPED)
    assert [group.title for group in groups_of(state)] == ["no group", "Work", "Home"]
    assert group_beside(state_with(*THREE), 1) is None
    label = group_of(state)
    assert label is not None
    assert label.title == "no group"
    assert [each.number for each in labels_of(apply(state, TabSelected(4)))] == [3, 4]


def test_before_anything_was_shown_here_a_group_begins_with_the_tab_looked_at_last() -> None:
    state = state_with(tab(1), tab(2, group="a", looked_at=5.0), tab(3, group="a", looked_at=9.0))
    state = apply(state, TabSelected(1))
    group = groups_of(state)[1]
    assert tab_to_show(state, group) == 3
    state = apply(apply(state, TabSelected(2)), TabSelected(1))
    assert tab_to_show(state, group) == 2


def test_a_group_is_found_by_some_of_its_letters() -> None:
    names = ("", "Work", "Home work", "Garden")
    assert matching(names, "") == list(names)
    assert matching(names, "wk") == ["Work", "Home work"]
    assert matching(names, "no gr") == [""]
    assert matching(names, "zzz") == []


# ---------------------------------------------------------------- the tab a terminal begins with


async def test_a_terminal_begins_with_the_tab_that_was_looked_at_last() -> None:
    tabs = (tab(1, looked_at=3.0), tab(2, looked_at=9.0), tab(3))
    async with shown(tabs) as (_link, app, _pilot):
        assert app.state.active == 2


async def test_the_host_is_told_once_of_each_tab_that_is_shown() -> None:
    async with shown(THREE) as (link, _app, pilot):
        await pilot.press("alt+2")
        link.event(p.SessionChanged(tab(2, "Tutor", unread=True, turn=1)))
        await pilot.pause()
        await pilot.press("alt+1")
        await pilot.pause()
        assert [each.session for each in link.asked(p.LookAtTab)] == [1, 2, 1]
