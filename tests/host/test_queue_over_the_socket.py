"""The queue of the generation lock in persons' hands: anybody moves or takes out any entry."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.host.rig import Rig, Terminal, running

from gemma_chat.errors import HostError
from gemma_chat.host.protocol import ChangeQueue, LockChanged, LockEntry

LONG = "a word and another one " * 100


async def queued(rig: Rig, terminal: Terminal, tabs: int) -> tuple[list[int], list[LockEntry]]:
    """So many tabs that ask: the first one holds the lock; and the entries that wait."""
    rig.engine.gate.hold()
    sessions = [await terminal.open(f"tab {n}") for n in range(tabs)]
    for session in sessions:
        await terminal.send(session, "hello")
    changed = await terminal.seen(
        LockChanged,
        lambda event: [one.session for one in event.lock.waiting if one.ticket] == sessions[1:],
    )
    return sessions, list(changed.lock.waiting)


async def refused(terminal: Terminal, ticket: int, change: str) -> str:
    with pytest.raises(HostError) as caught:
        await terminal.client.request(ChangeQueue(0, ticket, change))
    return str(caught.value)


async def test_a_move_by_one_terminal_is_seen_by_all_and_holds(
    rig: Rig, terminal: Terminal
) -> None:
    other = await rig.connect()
    (first, second, third), entries = await queued(rig, terminal, 3)
    await other.client.request(ChangeQueue(0, entries[1].ticket, "sooner"))
    for one in (terminal, other):
        lock = (await one.order((first, 1), (third, 1), (second, 1))).lock
        assert [entry.moved for entry in lock.waiting] == [1, -1]
    await other.client.request(ChangeQueue(0, entries[1].ticket, "later"))
    await terminal.order((first, 1), (second, 1), (third, 1))
    rig.engine.gate.open()
    await terminal.finished(third, 1)


async def test_the_entry_of_another_tab_is_taken_out_and_its_question_stays(
    rig: Rig, terminal: Terminal
) -> None:
    (first, second, third), entries = await queued(rig, terminal, 3)
    await terminal.client.request(ChangeQueue(0, entries[0].ticket, "cancel"))
    await terminal.order((first, 1), (third, 1))
    assert (await terminal.finished(second, 1)).reason == "stopped"
    assert await terminal.said(second) == [("user", "hello", "stopped")]
    rig.engine.gate.open()
    assert (await terminal.finished(third, 1)).reason == "stop"


async def test_what_cannot_be_moved_is_refused_with_the_reason(
    rig: Rig, terminal: Terminal
) -> None:
    (_, second, _), entries = await queued(rig, terminal, 3)
    await terminal.send(second, "and again")
    changed = await terminal.seen(
        LockChanged, lambda event: len([one for one in event.lock.waiting if one.ticket]) == 3
    )
    waiting = changed.lock.waiting
    await terminal.client.request(ChangeQueue(0, waiting[2].ticket, "sooner"))
    assert "same tab" in await refused(terminal, waiting[2].ticket, "sooner")
    assert "first in the queue" in await refused(terminal, entries[0].ticket, "sooner")
    assert "last in the queue" in await refused(terminal, entries[1].ticket, "later")
    assert "waits no longer" in await refused(terminal, 9_999, "cancel")
    assert "waits for a model" in await refused(terminal, 0, "sooner")


async def test_background_work_tells_its_tab_never_passes_a_person_and_can_be_cancelled(
    rig: Rig, terminal: Terminal
) -> None:
    rig.engine.gate.hold()
    warmed = await terminal.open("warmed up", system=LONG)
    asking = [await terminal.open(f"tab {n}") for n in range(2)]
    for session in asking:
        await terminal.send(session, "hello")
    changed = await terminal.seen(
        LockChanged, lambda e: len(e.lock.waiting) == 2 and e.lock.waiting[-1].background
    )
    work = changed.lock.waiting[-1]
    assert (work.name, work.about, work.session) == ("warm-up", warmed, 0)
    assert "keeps its place" in await refused(terminal, work.ticket, "sooner")
    await terminal.client.request(ChangeQueue(0, work.ticket, "cancel"))
    await terminal.order((asking[0], 1), (asking[1], 1))


async def test_while_no_model_is_loaded_the_queue_cannot_be_changed(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.loading.clear()
        terminal = await rig.connect()
        tab = await terminal.open("tab")
        await terminal.send(tab, "hello")
        changed = await terminal.order((0, 0), (tab, 1))
        assert "model" in await refused(terminal, changed.lock.waiting[0].ticket, "sooner")
        rig.loading.set()
        await terminal.finished(tab, 1)
