"""Moving, pinning, marking and grouping tabs: all terminals see the same bar."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.host.rig import Rig, Terminal, running

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import (
    CloseSession,
    ForkFrom,
    GroupTabs,
    LookAtTab,
    MarkTab,
    MoveTab,
    OpenSession,
    PairTabs,
    PinTab,
    RenameGroup,
    ReopenSession,
    Request,
    Snapshot,
    TabPair,
)


def bar(terminal: Terminal) -> list[int]:
    return sorted(terminal.tabs, key=lambda session: terminal.tabs[session].position)


async def test_every_terminal_hears_of_order_pins_marks_and_groups(rig: Rig) -> None:
    here, there = await rig.connect(), await rig.connect()
    one, two, three = [await here.open(title) for title in ("One", "Two", "Three")]
    await here.client.request(MoveTab(0, three, 0))
    await there.until(lambda: bar(there) == [three, one, two])
    await here.client.request(PinTab(0, two, True))
    await there.until(lambda: bar(there) == [two, three, one])
    await here.client.request(MarkTab(0, one, "star"))
    await here.client.request(GroupTabs(0, (three, two), "work"))
    await there.until(lambda: there.tabs[two].group == "work")
    await there.until(lambda: bar(there) == [one, two, three])
    assert there.tabs[two].pinned
    assert there.tabs[one].mark == "star"
    assert bar(here) == bar(there)


async def test_the_bar_is_the_same_after_the_host_was_ended(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        one, two, three = [await terminal.open(title) for title in ("One", "Two", "Three")]
        for request in (
            GroupTabs(0, (one,), "work"),
            PinTab(0, three, True),
            MarkTab(0, two, "note"),
            LookAtTab(0, two),
        ):
            await terminal.client.request(request)
        before = terminal.tabs
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        looked = terminal.tabs[two].looked_at
        assert looked > 0
        assert terminal.tabs == before | {
            two: msgspec.structs.replace(before[two], looked_at=looked)
        }
        assert bar(terminal) == [three, two, one]


async def test_a_terminal_that_comes_later_is_told_which_tabs_stand_side_by_side(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        one, two, three = [await terminal.open() for _ in range(3)]
        assert (await terminal.seen(Snapshot)).pair is None
        await terminal.client.request(PairTabs(0, TabPair(one, two)))
        await terminal.client.request(PairTabs(0, TabPair(three, one, to_both=False)))
        other = await rig.connect()
        assert (await other.seen(Snapshot)).pair == TabPair(three, one, to_both=False)
    async with running(tmp_path) as rig:
        terminal = await rig.connect()
        assert (await terminal.seen(Snapshot)).pair == TabPair(three, one, to_both=False)
        await terminal.client.request(PairTabs(0))
        assert (await (await rig.connect()).seen(Snapshot)).pair is None


async def test_a_tab_opens_in_a_group_and_so_do_its_forks(rig: Rig) -> None:
    terminal = await rig.connect()
    first = await terminal.open()
    await terminal.client.request(GroupTabs(0, (first,), "work"))
    other = await terminal.open()
    opened = await terminal.client.request(OpenSession(0, group=" work "))
    assert bar(terminal) == [first, opened.session, other]
    await terminal.ask(first, "hello")
    reply = (await terminal.transcript(first))[-1]
    fork = (await terminal.client.request(ForkFrom(0, first, reply.message))).session
    assert terminal.tabs[fork].group == "work"
    assert bar(terminal) == [first, fork, opened.session, other]


async def test_a_tab_that_comes_back_stands_in_its_group(rig: Rig) -> None:
    terminal = await rig.connect()
    one, two, three = [await terminal.open() for _ in range(3)]
    await terminal.client.request(GroupTabs(0, (one, two), "work"))
    await terminal.client.request(CloseSession(0, two))
    await terminal.client.request(ReopenSession(0, two))
    assert bar(terminal) == [three, one, two]


async def test_a_renamed_group_is_renamed_in_every_tab(rig: Rig) -> None:
    terminal = await rig.connect()
    one, two = [await terminal.open() for _ in range(2)]
    await terminal.client.request(GroupTabs(0, (one, two), "work"))
    await terminal.client.request(RenameGroup(0, "work", "  my \n work "))
    assert {view.group for view in terminal.tabs.values()} == {"my work"}


@pytest.mark.parametrize(
    ("request_of", "words"),
    [
        (lambda tab: MoveTab(0, 99, 0), "no open tab 99"),
        (lambda tab: PinTab(0, 99, True), "no open tab 99"),
        (lambda tab: MarkTab(0, 99, "star"), "no open tab 99"),
        (lambda tab: LookAtTab(0, 99), "no open tab 99"),
        (lambda tab: PairTabs(0, TabPair(tab, 99)), "no open tab 99"),
        (lambda tab: PairTabs(0, TabPair(tab, tab)), "cannot stand beside itself"),
        (lambda tab: GroupTabs(0, (tab, 99), "work"), "no open tab 99"),
        (lambda tab: GroupTabs(0, (tab,), "x" * 41), "41 characters; at most 40"),
        (lambda tab: RenameGroup(0, "nobody's", "x"), "no group “nobody's”"),
        (lambda tab: OpenSession(0, group="x" * 41), "at most 40"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    rig: Rig, request_of: object, words: str
) -> None:
    terminal = await rig.connect()
    tab = await terminal.open()
    before = dict(terminal.tabs)
    assert callable(request_of)
    request: Request = request_of(tab)
    with pytest.raises(HostError, match=words):
        await terminal.client.request(request)
    assert terminal.tabs == before


async def test_a_session_that_is_shown_in_no_tab_has_no_place_in_the_bar(rig: Rig) -> None:
    terminal = await rig.connect()
    aside = (await terminal.client.request(OpenSession(0, place="aside"))).session
    terminal.aside.add(aside)
    with pytest.raises(HostError, match="no open tab"):
        await terminal.client.request(PinTab(0, aside, True))


async def test_a_place_far_outside_is_the_nearest_one(rig: Rig) -> None:
    terminal = await rig.connect()
    one, two = [await terminal.open() for _ in range(2)]
    await terminal.client.request(MoveTab(0, one, 2**60))
    assert bar(terminal) == [two, one]
    await terminal.client.request(MoveTab(0, one, -(2**60)))
    assert bar(terminal) == [one, two]
