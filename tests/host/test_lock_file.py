"""A lock that is gone when nobody holds it, and never held twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemma_chat.host.lock_file import LockFile, is_locked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "start.lock"


def test_one_at_a_time(path: Path) -> None:
    first = LockFile.take(path)
    assert first is not None
    assert LockFile.take(path) is None
    assert is_locked(path)
    first.release()
    assert not path.exists()
    assert not is_locked(path)
    second = LockFile.take(path)
    assert second is not None
    second.release()


def test_the_file_of_a_dead_holder_is_taken_over(path: Path) -> None:
    path.write_bytes(b"dead")
    lock = LockFile.take(path)
    assert lock is not None
    lock.write(b"me")
    assert path.read_bytes() == b"me"
    lock.release()


def test_the_lock_of_a_file_that_was_removed_meanwhile_counts_for_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, the holder before removes the file and lets go."""
    opened = os.open
    removed = []

    def open_and_lose(name: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(name, flags, mode)
        if not removed:
            path.unlink()
            removed.append(name)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    lock = LockFile.take(path)
    assert lock is not None
    assert path.exists()
    assert LockFile.take(path) is None
    lock.release()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="start"):
        LockFile.take(path)
    assert not (tmp_path / "elsewhere").exists()
