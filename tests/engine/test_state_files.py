"""Saved states in files: whole or not at all, and nobody else's."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemma_chat.engine import state_files
from gemma_chat.engine.checkpoints import Checkpoint
from gemma_chat.engine.state_files import ReadState, StateFiles, StoredState

FINGERPRINT = "a" * 64


def tokens(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def some_bytes(size: int = 1000, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[StateFiles]:
    files = StateFiles(tmp_path / "states", FINGERPRINT, 10_000)
    yield files
    files.close()


def write(files: StateFiles, *numbers: int, seed: int = 1, size: int = 1000) -> StoredState:
    stored = files.write_soon(
        tokens(*numbers),
        (len(numbers),),
        some_bytes(size, seed),
        replaces=None,
        wanted=lambda: True,
    )
    assert stored is not None
    files.settle()
    return stored


def read(files: StateFiles, stored: StoredState) -> ReadState:
    found = files.read(stored)
    assert found is not None
    return found


def test_a_state_comes_back_as_it_was(files: StateFiles) -> None:
    stored = write(files, 1, 2, 3)
    found = read(files, stored)
    assert np.array_equal(found.state, some_bytes())
    assert found.checkpoints == ()


def test_checkpoints_come_back_with_their_state(files: StateFiles) -> None:
    points = (Checkpoint(1, 0, some_bytes(300, 2)), Checkpoint(2, 1, some_bytes(400, 3)))
    stored = files.write_soon(
        tokens(1, 2, 3), (3,), some_bytes(), points, replaces=None, wanted=lambda: True
    )
    assert stored is not None
    files.settle()
    found = read(files, stored)
    assert np.array_equal(found.state, some_bytes())
    assert [(point.length, point.first) for point in found.checkpoints] == [(1, 0), (2, 1)]
    for before, after in zip(points, found.checkpoints, strict=True):
        assert np.array_equal(before.state, after.state)
    [known] = files.known()
    assert known.bytes == stored.bytes == 1000 + 300 + 400


def test_checkpoints_that_do_not_fit_beside_their_state_are_left_out(files: StateFiles) -> None:
    points = (Checkpoint(1, 0, some_bytes(9_500, 2)),)
    stored = files.write_soon(
        tokens(1, 2, 3), (3,), some_bytes(), points, replaces=None, wanted=lambda: True
    )
    assert stored is not None
    files.settle()
    assert read(files, stored).checkpoints == ()


def test_a_later_process_finds_states_with_their_tokens_and_seams(
    files: StateFiles, tmp_path: Path
) -> None:
    write(files, 1, 2, 3)
    [found] = StateFiles(tmp_path / "states", FINGERPRINT, 10_000).known()
    assert found.tokens.tolist() == [1, 2, 3]
    assert found.seams == (3,)
    assert np.array_equal(read(files, found).state, some_bytes())


def test_states_of_another_model_are_neither_used_nor_removed(
    files: StateFiles, tmp_path: Path
) -> None:
    stored = write(files, 1, 2, 3)
    assert list(StateFiles(tmp_path / "states", "b" * 64, 10_000).known()) == []
    assert stored.path.exists()


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_ignored_and_removed(files: StateFiles, data: st.DataObject) -> None:
    stored = write(files, 1, 2, 3)
    whole = bytearray(stored.path.read_bytes())
    if data.draw(st.booleans(), "cut"):
        del whole[data.draw(st.integers(0, len(whole) - 1), "at") :]
    else:
        at = data.draw(st.integers(0, len(whole) - 1), "at")
        whole[at] ^= data.draw(st.integers(1, 255), "bits")
    stored.path.write_bytes(whole)
    found = files.read(stored)
    if found is None:
        assert not stored.path.exists()
    else:
        # A changed fingerprint or seam in the header is caught when the folder is read.
        assert np.array_equal(found.state, some_bytes())


@pytest.mark.parametrize("content", [b"", b"gemma-chat state 2\n", b"\0" * 5000, b"{" * 9000])
def test_a_foreign_file_in_the_folder_is_removed(
    files: StateFiles, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "states").mkdir()
    foreign = tmp_path / "states" / "x.state"
    foreign.write_bytes(content)
    assert list(files.known()) == []
    assert not foreign.exists()


def test_the_longest_unused_files_make_room(files: StateFiles) -> None:
    stored = [write(files, number, size=4000) for number in range(4)]
    assert [entry.path.exists() for entry in stored] == [False, False, True, True]


@pytest.mark.parametrize(
    ("free", "kept"), [(9000, {1, 2, 3}), (500, {2, 3}), (-1000, {3}), (-5000, set())]
)
def test_the_last_of_the_disk_is_left_to_conversations(
    files: StateFiles, monkeypatch: pytest.MonkeyPatch, free: int, kept: set[int]
) -> None:
    older = [write(files, number, seed=number) for number in (1, 2)]
    usage = SimpleNamespace(free=state_files.LEFT_FREE + free)
    monkeypatch.setattr(state_files.shutil, "disk_usage", lambda folder: usage)
    states = [*older, write(files, 3, seed=3)]
    assert {stored.tokens[0] for stored in states if stored.path.exists()} == kept


def test_a_state_larger_than_the_budget_is_not_written(files: StateFiles) -> None:
    assert (
        files.write_soon(tokens(1), (1,), some_bytes(20_000), replaces=None, wanted=lambda: True)
        is None
    )


def test_a_state_nobody_wants_any_more_is_not_written(files: StateFiles) -> None:
    stored = files.write_soon(tokens(1), (1,), some_bytes(), replaces=None, wanted=lambda: False)
    files.settle()
    assert stored is not None
    assert not stored.path.exists()


def test_the_file_a_new_one_replaces_goes_only_when_the_new_one_is_whole(
    files: StateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(files, 1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gemma_chat.engine.state_files.os.fsync", full)
    files.write_soon(tokens(1, 2), (2,), some_bytes(), replaces=old.path, wanted=lambda: True)
    files.settle()
    assert old.path.exists()
    assert [path.name for path in old.path.parent.iterdir()] == [old.path.name]
    monkeypatch.undo()
    files.write_soon(tokens(1, 2), (2,), some_bytes(), replaces=old.path, wanted=lambda: True)
    files.settle()
    assert not old.path.exists()


def test_files_are_private(files: StateFiles) -> None:
    stored = write(files, 1)
    assert stored.path.stat().st_mode & 0o077 == 0
    assert stored.path.parent.stat().st_mode & 0o077 == 0


def test_a_conversation_of_many_short_turns_comes_back(files: StateFiles) -> None:
    seams = tuple(range(3, 12_000, 5))
    held = np.arange(12_000, dtype=np.int32)
    stored = files.write_soon(held, seams, some_bytes(), replaces=None, wanted=lambda: True)
    assert stored is not None
    files.settle()
    [found] = files.known()
    assert found.seams == seams
    assert np.array_equal(read(files, stored).state, some_bytes())


def test_what_another_process_is_writing_is_left_to_it_and_what_a_dead_one_left_goes(
    files: StateFiles, tmp_path: Path
) -> None:
    write(files, 1)
    being_written, left = (tmp_path / "states" / f"writing-{name}" for name in ("a", "b"))
    being_written.touch()
    left.touch()
    os.utime(left, (0, 0))
    write(files, 2)
    assert (being_written.exists(), left.exists()) == (True, False)


def test_a_file_that_fails_in_a_way_nobody_thought_of_keeps_no_turn_waiting(
    files: StateFiles,
) -> None:
    def unforeseen() -> bool:
        raise RuntimeError("not foreseen")

    files.write_soon(tokens(1), (1,), some_bytes(), replaces=None, wanted=unforeseen)
    waiting = threading.Thread(target=files.settle, daemon=True)
    waiting.start()
    waiting.join(20)
    assert not waiting.is_alive()
    assert write(files, 2).path.exists()
