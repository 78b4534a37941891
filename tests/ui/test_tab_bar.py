"""The tab bar: one line that always shows the active tab."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ui.scripted import HOSTILE_TITLES, OWN, READY, SIZES, ScriptedLink, make_app, tab

from gemma_chat.host import protocol as p
from gemma_chat.ui.own_events import TabSelected
from gemma_chat.ui.signs import circled, sign_of
from gemma_chat.ui.state import TerminalState, apply
from gemma_chat.ui.tab_bar import Span, TabBar, labels_of, visible_span


def state_with(*views: p.SessionView, lock: p.LockView | None = None) -> TerminalState:
    snapshot = p.Snapshot(views, lock or p.LockView(), READY, p.SummarizerView())
    return apply(TerminalState(own=OWN), snapshot)


def signs(state: TerminalState) -> list[str]:
    return [sign_of(state, each).text for each in state.tabs]


def test_each_tab_shows_by_a_sign_how_it_is() -> None:
    lock = p.LockView(
        p.LockEntry(1, 1, "a", phase="generating"),
        (p.LockEntry(2, 1, "b"), p.LockEntry(3, 1, "c"), p.LockEntry(4, 1, "s", background=True)),
    )
    views = (tab(1), tab(2), tab(3), tab(4, unread=True), tab(5, failed=True), tab(6))
    assert signs(state_with(*views, lock=lock)) == ["●", "①", "②", "✓", "!", ""]


def test_the_tab_that_is_being_read_is_not_marked_as_unread() -> None:
    state = state_with(tab(1, unread=True), tab(2, unread=True))
    assert signs(state) == ["", "✓"]
    assert signs(apply(state, TabSelected(2))) == ["✓", ""]


def test_places_beyond_twenty_are_written_as_numbers() -> None:
    assert [circled(n) for n in (1, 20, 21, 103)] == ["①", "⑳", "(21)", "(103)"]


@given(
    st.lists(st.integers(4, 40), min_size=1, max_size=100).flatmap(
        lambda widths: st.tuples(
            st.just(widths), st.integers(0, len(widths) - 1), st.integers(0, len(widths) - 1)
        )
    ),
    st.integers(10, 220),
)
def test_the_active_tab_is_always_among_the_visible_ones(
    tabs: tuple[list[int], int, int], cells: int
) -> None:
    widths, active, first = tabs
    span = visible_span(widths, active, first, cells)
    assert 0 <= span.first <= active < span.end <= len(widths)
    shown = widths[span.first : span.end]
    assert sum(shown) <= cells or len(shown) == 1


def test_tabs_that_all_fit_are_all_shown() -> None:
    assert visible_span([10, 10, 10], 0, 2, 30) == Span(0, 3)


def test_room_at_the_right_end_is_filled_from_the_left() -> None:
    assert visible_span([10] * 10, 9, 9, 48) == Span(6, 10)


async def bar_text(link: ScriptedLink, size: tuple[int, int], views: list[p.SessionView]) -> str:
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect(views)
        await pilot.pause()
        strip = app.window.tab_bar.render_line(0)
        assert strip.cell_length == size[0]
        return strip.text


async def test_a_label_has_number_title_and_sign_and_the_active_one_a_bar() -> None:
    text = await bar_text(
        ScriptedLink(), (80, 24), [tab(1, "Pirate"), tab(2, "Tutor", failed=True)]
    )
    assert text.startswith("▎1 Pirate  2 Tutor ! ")
    assert text.rstrip().endswith("+")


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_titles_stay_within_the_line(size: tuple[int, int]) -> None:
    views = [tab(number, title) for number, title in enumerate(HOSTILE_TITLES, 1)]
    text = await bar_text(ScriptedLink(), size, views)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text)


async def test_with_a_hundred_tabs_the_hidden_ones_are_counted() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(80, 24)) as pilot:
        link.connect([tab(number, f"chat {number}") for number in range(1, 101)])
        await pilot.pause()
        app.change(TabSelected(50))
        await pilot.pause()
        text = app.window.tab_bar.render_line(0).text
        assert "▎50 chat 50" in text
        assert text.startswith("‹")
        assert "› + " in text


async def test_a_click_shows_a_tab_the_middle_button_closes_one_and_plus_opens_one() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(80, 24)) as pilot:
        link.connect([tab(1, "Pirate"), tab(2, "Tutor"), tab(3, "Reviewer")])
        await pilot.pause()
        await pilot.click(TabBar, offset=(14, 0))
        await pilot.pause()
        assert app.state.active == 2
        await pilot.click(TabBar, offset=(2, 0), button=2)
        await pilot.pause()
        assert [request.session for request in link.asked(p.CloseSession)] == [1]
        plus = app.window.tab_bar.render_line(0).text.index(" + ") + 1
        await pilot.click(TabBar, offset=(plus, 0))
        await pilot.pause()
        assert len(link.asked(p.OpenSession)) == 1


async def test_an_unchanged_bar_is_not_drawn_again() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(80, 24)) as pilot:
        link.connect([tab(1, "Pirate")])
        await pilot.pause()
        bar = app.window.tab_bar
        assert not bar._repaint_regions
        bar.show(labels_of(app.state))
        assert not bar._repaint_regions
