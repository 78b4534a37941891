"""One host for one database, whatever a dead one has left behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gemma_chat.errors import HostError
from gemma_chat.host.tenancy import (
    AlreadyRunningError,
    Tenancy,
    Tenant,
    living_tenant,
    read_tenant,
)


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    return tmp_path / "host.lock"


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "host.sock"


def leave_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def test_the_second_host_is_turned_away_and_told_who_is_there(
    lock_file: Path, socket_path: Path
) -> None:
    first = Tenancy.claim(lock_file, socket_path)
    with pytest.raises(AlreadyRunningError, match=f"pid {os.getpid()}"):
        Tenancy.claim(lock_file, socket_path)
    first.release()
    Tenancy.claim(lock_file, socket_path).release()


def test_the_socket_of_a_dead_host_is_removed(lock_file: Path, socket_path: Path) -> None:
    leave_socket(socket_path)
    tenancy = Tenancy.claim(lock_file, socket_path)
    assert not socket_path.exists()
    tenancy.release()


def test_the_second_host_does_not_touch_the_socket_of_the_first(
    lock_file: Path, socket_path: Path
) -> None:
    first = Tenancy.claim(lock_file, socket_path)
    leave_socket(socket_path)
    with pytest.raises(AlreadyRunningError):
        Tenancy.claim(lock_file, socket_path)
    assert socket_path.exists()
    first.release()
    assert not socket_path.exists()


def test_a_file_that_is_no_socket_is_left_alone(lock_file: Path, socket_path: Path) -> None:
    socket_path.write_text("mine")
    with pytest.raises(HostError, match="in the way"):
        Tenancy.claim(lock_file, socket_path)
    assert socket_path.read_text() == "mine"
    socket_path.unlink()
    Tenancy.claim(lock_file, socket_path).release()


def test_the_lock_file_says_where_its_holder_is(lock_file: Path, socket_path: Path) -> None:
    lock_file.write_text("9" * 500)
    tenancy = Tenancy.claim(lock_file, socket_path)
    assert read_tenant(lock_file) == Tenant(os.getpid(), socket_path)
    tenancy.release()


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"x\ny", b"\xff" * 9000, b"12", b"12\n", b"-1\n/s", b"12\n/s\0", b"12\ns"],
)
def test_a_damaged_lock_file_says_nothing(lock_file: Path, content: bytes) -> None:
    lock_file.write_bytes(content)
    assert read_tenant(lock_file) is None


def test_what_a_dead_host_wrote_leads_nobody_astray(lock_file: Path, socket_path: Path) -> None:
    # Its process number may be another program's by now.
    lock_file.write_bytes(b"%d\n/elsewhere/host.sock" % os.getpid())
    assert living_tenant(lock_file) is None
    tenancy = Tenancy.claim(lock_file, socket_path)
    assert living_tenant(lock_file) == Tenant(os.getpid(), socket_path)
    tenancy.release()


def test_a_missing_lock_file_says_nothing(lock_file: Path) -> None:
    assert read_tenant(lock_file) is None


def test_a_folder_in_place_of_the_lock_file_is_named(lock_file: Path, socket_path: Path) -> None:
    lock_file.mkdir()
    with pytest.raises(HostError, match=r"host\.lock cannot be opened"):
        Tenancy.claim(lock_file, socket_path)


def test_a_link_in_place_of_the_lock_file_is_not_followed(
    lock_file: Path, socket_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "precious"
    target.write_text("keep")
    lock_file.symlink_to(target)
    with pytest.raises(HostError):
        Tenancy.claim(lock_file, socket_path)
    assert target.read_text() == "keep"


def test_nothing_is_left_of_a_host_that_has_gone(lock_file: Path, socket_path: Path) -> None:
    Tenancy.claim(lock_file, socket_path).release()
    assert not lock_file.exists()
    assert not socket_path.exists()
