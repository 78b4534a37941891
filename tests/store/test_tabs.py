"""The tab bar in the store: order, pins, marks and groups."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import StoreError
from gemma_chat.store import migrations
from gemma_chat.store.records import TabPair
from gemma_chat.store.store import Store
from gemma_chat.store.tabs import Standing, arranged, moved

ABSENT = 4711


def opened(store: Store, count: int) -> list[int]:
    return [store.create(SessionSettings()).session for _ in range(count)]


def standing() -> st.SearchStrategy[list[Standing]]:
    tab = st.tuples(st.sampled_from(["", "work", "home"]), st.booleans())
    return st.lists(tab, max_size=9).map(
        lambda tabs: [Standing(number, *one) for number, one in enumerate(tabs)]
    )


def holds(tabs: list[Standing]) -> bool:
    """Groups stand together, and in each the pinned tabs come first."""
    places = [(tab.group, not tab.pinned) for tab in tabs]
    runs = [place for n, place in enumerate(places) if n == 0 or places[n - 1] != place]
    groups = [group for n, (group, _) in enumerate(runs) if n == 0 or runs[n - 1][0] != group]
    return len(set(runs)) == len(runs) and len(set(groups)) == len(groups) and _pinned_first(runs)


def _pinned_first(runs: list[tuple[str, bool]]) -> bool:
    return all((group, True) not in runs[:n] for n, (group, rest) in enumerate(runs) if not rest)


@given(standing())
def test_an_arrangement_keeps_groups_together_pins_first_and_all_else_as_it_was(
    tabs: list[Standing],
) -> None:
    result = arranged(tabs)
    assert holds(result)
    assert sorted(tab.session for tab in result) == [tab.session for tab in tabs]
    assert arranged(result) == result
    for one in {(tab.group, tab.pinned) for tab in tabs}:
        alike = [tab for tab in result if (tab.group, tab.pinned) == one]
        assert alike == [tab for tab in tabs if (tab.group, tab.pinned) == one]


@given(standing().filter(bool), st.integers(0, 20), st.integers(-30, 30))
def test_a_tab_moves_only_among_those_of_its_group_and_pin(
    tabs: list[Standing], which: int, place: int
) -> None:
    before = arranged(tabs)
    tab = before[which % len(before)]
    after = moved(before, tab.session, place)
    assert arranged(after) == after
    assert [other for other in after if other is not tab] == [
        other for other in before if other is not tab
    ]
    free = [n for n, one in enumerate(before) if (one.group, one.pinned) == (tab.group, tab.pinned)]
    assert after.index(tab) == min(max(place, free[0]), free[-1])


def test_a_tab_is_moved_to_a_place(store: Store) -> None:
    one, two, three = opened(store, 3)
    store.tabs.move(three, 0)
    assert store.tabs.order() == (three, one, two)
    store.tabs.move(three, 99)
    assert store.tabs.order() == (one, two, three)


def test_a_pinned_tab_stands_first_and_goes_back_behind_the_pins(store: Store) -> None:
    one, two, three = opened(store, 3)
    store.tabs.pin(three, pinned=True)
    store.tabs.pin(two, pinned=True)
    assert store.tabs.order() == (three, two, one)
    assert store.conversation(three).pinned
    store.tabs.pin(three, pinned=False)
    assert store.tabs.order() == (two, three, one)


def test_tabs_go_into_a_group_together_and_a_new_one_opens_behind_them(store: Store) -> None:
    one, two, three, four = opened(store, 4)
    store.tabs.put_into_group((one, three), "work")
    assert store.tabs.order() == (two, four, one, three)
    five = store.create(SessionSettings(), group="work").session
    six = store.create(SessionSettings()).session
    assert store.tabs.order() == (two, four, six, one, three, five)
    assert store.conversation(five).group == "work"


def test_a_closed_tab_comes_back_into_its_group_with_pin_and_mark(store: Store) -> None:
    one, two, three = opened(store, 3)
    store.tabs.put_into_group((one,), "work")
    store.tabs.put_into_group((three,), "work")
    store.tabs.pin(three, pinned=True)
    store.tabs.set_mark(three, "star")
    store.close_tab(three)
    store.open_at(three)
    assert store.tabs.order() == (two, three, one)
    again = store.conversation(three)
    assert (again.group, again.pinned, again.mark) == ("work", True, "star")


def test_a_group_gets_another_name_joins_another_or_ends(store: Store) -> None:
    one, two, three = opened(store, 3)
    store.tabs.put_into_group((one,), "a")
    store.tabs.put_into_group((two,), "b")
    store.close_tab(two)
    store.tabs.rename_group("b", "a")
    store.open_at(two)
    assert store.tabs.order() == (three, one, two)
    store.tabs.rename_group("a", "")
    assert {each.group for each in store.conversations()} == {""}


def test_what_is_asked_about_tabs_and_groups_that_do_not_exist_changes_nothing(
    store: Store,
) -> None:
    one, two = opened(store, 2)
    store.close_tab(two)
    for call in (
        lambda: store.tabs.move(ABSENT, 0),
        lambda: store.tabs.move(two, 0),
        lambda: store.tabs.pin(ABSENT, pinned=True),
        lambda: store.tabs.set_mark(ABSENT, "star"),
        lambda: store.tabs.put_into_group((one, ABSENT), "work"),
        lambda: store.tabs.rename_group("nobody's", "x"),
        lambda: store.tabs.look_at(ABSENT),
    ):
        with pytest.raises(StoreError, match="There is no"):
            call()
    assert store.conversation(one).group == ""
    assert store.tabs.order() == (one,)


def test_the_store_knows_which_tab_was_looked_at_last(database: Path) -> None:
    times = iter(range(100, 200))
    store = Store.open(database, clock=lambda: float(next(times)))
    one, two = opened(store, 2)
    store.tabs.look_at(two)
    store.tabs.look_at(one)
    looked = {each.session: each.looked_at for each in store.conversations()}
    assert looked[one] > looked[two] > 0
    store.close()


def test_two_tabs_side_by_side_are_kept_until_others_are_or_one_of_them_closes(
    database: Path,
) -> None:
    store = Store.open(database)
    one, two, three = opened(store, 3)
    assert store.tabs.pair() is None
    store.tabs.keep_pair(TabPair(one, two))
    store.tabs.keep_pair(TabPair(three, one, to_both=False))
    store.close()
    store = Store.open(database)
    assert store.tabs.pair() == TabPair(three, one, to_both=False)
    store.close_tab(two)
    assert store.tabs.pair() == TabPair(three, one, to_both=False)
    store.close_tab(one)
    assert store.tabs.pair() is None
    store.open_at(one)
    assert store.tabs.pair() is None
    store.tabs.keep_pair(TabPair(one, three))
    store.library.delete([three])
    assert store.tabs.pair() is None
    store.close()


def test_a_pair_with_a_tab_that_is_not_there_changes_nothing(store: Store) -> None:
    one, two = opened(store, 2)
    store.tabs.keep_pair(TabPair(one, two))
    with pytest.raises(StoreError, match=f"no conversation {ABSENT}"):
        store.tabs.keep_pair(TabPair(one, ABSENT))
    assert store.tabs.pair() == TabPair(one, two)
    store.tabs.keep_pair(None)
    assert store.tabs.pair() is None


def test_a_mark_of_another_version_is_shown_as_none(database: Path) -> None:
    store = Store.open(database)
    (one,) = opened(store, 1)
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE conversations SET mark = 'banana'")
    connection.close()
    store = Store.open(database)
    assert store.conversation(one).mark == ""
    store.close()


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["move", "pin", "unpin", "group", "close", "open", "delete"]),
            st.integers(0, 4),
            st.integers(-1, 6),
        ),
        max_size=10,
    )
)
def test_whatever_is_done_to_the_tabs_their_order_stays_an_arrangement(
    store: Store, steps: list[tuple[str, int, int]]
) -> None:
    for left in store.conversations():
        store.library.delete([left.session])
    known = opened(store, 5)
    for step, which, number in steps:
        session = known[which]
        there = {each.session for each in store.conversations()}
        if session not in there or (step == "move" and session not in store.tabs.order()):
            continue
        match step:
            case "move":
                store.tabs.move(session, number)
            case "pin" | "unpin":
                store.tabs.pin(session, pinned=step == "pin")
            case "group":
                store.tabs.put_into_group((session,), ("", "a", "b")[number % 3])
            case "close":
                store.close_tab(session)
            case "open":
                store.open_at(session)
            case _:
                store.library.delete([session])
        views = store.conversations(open_only=True)
        assert [each.position for each in views] == list(range(len(views)))
        assert holds([Standing(each.session, each.group, each.pinned) for each in views])


def test_a_database_of_before_has_tabs_without_pins_marks_and_groups(database: Path) -> None:
    step = next(
        number
        for number, statements in enumerate(migrations.MIGRATIONS)
        if any("tab_group" in statement for statement in statements)
    )
    with sqlite3.connect(database) as connection:
        for statements in migrations.MIGRATIONS[:step]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {step}")
        connection.execute(
            "INSERT INTO conversations (title, settings, position, created, updated) "
            "VALUES ('A', '{}', 1, 1, 1), ('B', '{}', 0, 1, 1)"
        )
    connection.close()
    store = Store.open(database)
    tabs = store.conversations()
    assert [(each.title, each.pinned, each.mark, each.group) for each in tabs] == [
        ("B", False, "", ""),
        ("A", False, "", ""),
    ]
    store.close()
