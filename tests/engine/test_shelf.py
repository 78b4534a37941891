"""Saved states: shared, found by their tokens, and kept within a budget."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma_chat.engine import shelf as shelf_module
from gemma_chat.engine import state_files
from gemma_chat.engine.shelf import HeldSequence, StateShelf
from gemma_chat.engine.state_files import StateFiles


def state(size: int = 100, fill: int = 1) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.full(size, fill, np.uint8)


def holding(*tokens: int) -> HeldSequence:
    return HeldSequence(tokens=list(tokens), seams=[len(tokens)])


def with_files(folder: Path, budget: int = 1000) -> StateShelf:
    return StateShelf(budget, StateFiles(folder, "f" * 64, 1_000_000))


def test_going_on_replaces_the_older_state() -> None:
    shelf = StateShelf(1000)
    session = holding(1, 2)
    shelf.put(session, state(), "memory")
    session.tokens.append(3)
    shelf.put(session, state(120), "memory")
    assert shelf.bytes == 120
    assert len(shelf.longest([1, 2], 9)) == 1


def test_what_a_session_needs_goes_to_a_file_when_there_is_no_room_for_it_in_ram(
    tmp_path: Path,
) -> None:
    shelf = with_files(tmp_path, budget=150)
    waiting, left, busy = holding(1, 2), holding(3, 4), holding(5, 6)
    shelf.put(left, state(50, fill=8), "memory")
    left.tokens[1] = 9
    shelf.put(left, state(10), "memory")
    shelf.put(waiting, state(60, fill=7), "memory")
    shelf.put(busy, state(140), "memory")
    bytes_again = shelf.bytes_of(waiting.saved) if waiting.saved is not None else None
    assert bytes_again is not None
    assert set(bytes_again.tolist()) == {7}
    assert [one.tokens.tolist() for one in shelf.longest([3, 4], 1)] == [[3, 9]]
    shelf.close()


def test_what_lies_in_files_is_counted_apart_from_what_is_in_ram(tmp_path: Path) -> None:
    shelf = with_files(tmp_path, budget=150)
    shelf.put(holding(1, 2), state(100), "file")
    shelf.put(holding(3, 4), state(120), "memory")
    assert (shelf.bytes, shelf.disk_bytes) == (120, 100)
    shelf.close()


def test_taking_another_way_keeps_the_older_state_for_going_back() -> None:
    shelf = StateShelf(1000)
    session = holding(1, 2, 3)
    shelf.put(session, state(), "memory")
    session.tokens[2] = 4
    shelf.put(session, state(), "memory")
    assert [s.tokens.tolist() for s in shelf.longest([1, 2, 3], 9)] == [[1, 2, 3], [1, 2, 4]]


def test_forks_share_the_bytes_until_the_last_one_is_closed() -> None:
    shelf = StateShelf(1000)
    parent = holding(1, 2)
    shelf.put(parent, state(), "memory")
    forks = [HeldSequence() for _ in range(50)]
    for fork in forks:
        shelf.share(parent.saved, fork)
        assert fork.tokens == [1, 2]
    assert shelf.bytes == 100
    shelf.remove(parent)
    for fork in forks:
        assert shelf.bytes == 100
        shelf.remove(fork)
    assert shelf.bytes == 0


def test_over_the_budget_the_least_recently_used_state_goes_first() -> None:
    shelf = StateShelf(250)
    sessions = [holding(number) for number in range(3)]
    shelf.put(sessions[0], state(), "memory")
    shelf.put(sessions[1], state(), "memory")
    assert sessions[0].saved is not None
    shelf.bytes_of(sessions[0].saved)
    shelf.put(sessions[2], state(), "memory")
    assert len(shelf.longest([1], 9)) == 0
    assert len(shelf.longest([0], 9)) == 1
    assert shelf.bytes == 200


def test_what_has_a_file_comes_back_from_it(tmp_path: Path) -> None:
    shelf = with_files(tmp_path, budget=150)
    first, second = holding(1), holding(2)
    shelf.put(first, state(fill=7), "file")
    shelf.put(second, state(fill=8), "file")
    assert shelf.bytes == 100
    assert first.saved is not None
    bytes_of_first = shelf.bytes_of(first.saved)
    assert bytes_of_first is not None
    assert set(bytes_of_first.tolist()) == {7}
    assert shelf.bytes == 100
    shelf.close()


def test_a_later_process_finds_what_was_saved(tmp_path: Path) -> None:
    shelf = with_files(tmp_path)
    shelf.put(holding(1, 2, 3), state(fill=9), "file")
    shelf.close()
    again = with_files(tmp_path)
    [found] = again.longest([1, 2, 3, 4], 3)
    assert found.seams == (3,)
    session = HeldSequence()
    again.share(found, session)
    assert session.tokens == [1, 2, 3]
    bytes_found = again.bytes_of(found)
    assert bytes_found is not None
    assert set(bytes_found.tolist()) == {9}
    again.close()


def test_a_file_that_vanished_is_a_lost_state_and_no_error(tmp_path: Path) -> None:
    shelf = with_files(tmp_path)
    shelf.put(holding(1), state(), "file")
    shelf.close()
    again = with_files(tmp_path)
    [found] = again.longest([1], 1)
    for file in tmp_path.glob("*.state"):
        file.unlink()
    assert again.bytes_of(found) is None
    assert again.longest([1], 1) == []
    again.close()


def test_a_closed_session_frees_its_memory_and_keeps_its_file(tmp_path: Path) -> None:
    shelf = with_files(tmp_path)
    session = holding(1, 2)
    shelf.put(session, state(), "file")
    shelf.remove(session)
    assert shelf.bytes == 0
    assert len(shelf.longest([1, 2], 1)) == 1
    shelf.close()
    assert len(list(tmp_path.glob("*.state"))) == 1


def test_a_released_session_puts_nothing_on_the_shelf() -> None:
    shelf = StateShelf(1000)
    session = holding(1)
    shelf.remove(session)
    shelf.put(session, state(), "memory")
    assert shelf.bytes == 0


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), max_size=8), st.data())
def test_the_longest_common_beginning_wins(held: list[list[int]], data: st.DataObject) -> None:
    shelf = StateShelf(10_000)
    for numbers in held:
        shelf.put(holding(*numbers), state(1), "memory")
    prompt = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=8))

    def shared(numbers: list[int]) -> int:
        pairs = enumerate(zip(numbers, prompt, strict=False))
        return next((at for at, (a, b) in pairs if a != b), min(len(numbers), len(prompt)))

    found = shelf.longest(prompt, 3)
    best = max(map(shared, held), default=0)
    assert bool(found) == bool(best)
    if found:
        assert shared(found[0].tokens.tolist()) == best


@given(st.lists(st.tuples(st.sampled_from(["put", "fork", "close", "use"]), st.integers(0, 5))))
def test_the_count_of_bytes_is_what_is_held(steps: list[tuple[str, int]]) -> None:
    shelf = StateShelf(350)
    sessions = [holding(number) for number in range(6)]
    for action, at in steps:
        session = sessions[at]
        if action == "put":
            session.tokens.append(at)
            shelf.put(session, state(100), "memory")
        elif action == "fork":
            shelf.share(sessions[at - 1].saved, session)
        elif action == "close":
            shelf.remove(session)
            sessions[at] = holding(at)
        elif session.saved is not None:
            shelf.bytes_of(session.saved)
        held = {id(s): s.ram_bytes for s in shelf._states.values()}
        assert shelf.bytes == sum(held.values()) <= 350


def test_of_more_files_than_are_kept_the_longest_unused_go_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf_module, "_MOST_ORPHANS", 2)
    files = StateFiles(tmp_path, "f" * 64, 1_000_000)
    for number in (1, 2, 3):
        stored = files.write_soon(
            np.array([number], np.int32), (1,), state(), replaces=None, wanted=lambda: True
        )
        assert stored is not None
        files.settle()
        os.utime(stored.path, (number, number))
    again = with_files(tmp_path)
    assert [bool(again.longest([number], 1)) for number in (1, 2, 3)] == [False, True, True]
    again.close()
    files.close()


def test_a_session_keeps_no_bytes_of_a_state_that_was_dropped() -> None:
    shelf = StateShelf(150)
    sessions = [holding(number) for number in range(4)]
    for session in sessions:
        shelf.put(session, state(), "memory")
    held = [session.saved for session in sessions]
    assert [saved is not None and saved.state is not None for saved in held] == [
        False,
        False,
        False,
        True,
    ]
    assert [shelf.keeps(saved) for saved in held] == [False, False, False, True]


def test_who_closes_a_session_does_not_wait_for_a_slow_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(state_files.os, "fsync", lambda _: goes_on.wait(60))
    shelf = with_files(tmp_path)
    sessions = [holding(number) for number in range(9)]

    def compute() -> None:
        for session in sessions:
            shelf.put(session, state(), "file")

    computing = threading.Thread(target=compute, daemon=True)
    computing.start()
    while shelf.bytes < 500:
        computing.join(0.01)
    closing = threading.Thread(target=lambda: shelf.remove(sessions[0]), daemon=True)
    closing.start()
    closing.join(20)
    waited = closing.is_alive()
    goes_on.set()
    computing.join()
    shelf.close()
    assert not waited
