"""One host for one database: a lock the host holds as long as it lives.

Under the lock, a socket file that is found belongs to a dead host and is removed. The locked file
says where its holder is to be found.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gemma_chat.errors import HostError
from gemma_chat.host.lock_file import LockFile, is_locked

_MAX_TENANT_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class Tenant:
    """The host that holds the lock, or held it last."""

    pid: int
    socket: Path


class AlreadyRunningError(HostError):
    """Another host holds the lock."""


@dataclass(slots=True)
class Tenancy:
    """The lock, held. Made by `claim`."""

    _lock: LockFile
    _socket: Path

    @classmethod
    def claim(cls, lock_file: Path, socket: Path) -> Tenancy:
        """Take the lock, and remove the socket file a dead host has left.

        Raises `AlreadyRunningError`, or `HostError` when the lock file or the socket's place
        cannot be used.
        """
        try:
            lock = LockFile.take(lock_file)
        except OSError as error:
            raise HostError(
                f"The lock file {lock_file} cannot be opened for writing ({error.strerror}). Make "
                "the file and its folder writable for you."
            ) from error
        if lock is None:
            raise _already_running(lock_file)
        try:
            _remove_stale(socket)
            lock.write(b"%d\n%s" % (os.getpid(), os.fsencode(socket)))
        except OSError as error:
            lock.release()
            raise HostError(f"The lock file {lock_file} cannot be used: {error}.") from error
        except BaseException:
            lock.release()
            raise
        return cls(lock, socket)

    def release(self) -> None:
        """Remove the socket and let the lock go. Once."""
        self._socket.unlink(missing_ok=True)
        self._lock.release()


def read_tenant(lock_file: Path) -> Tenant | None:
    """Who wrote the lock file last, or `None` when it does not say. It need not live any more."""
    try:
        with lock_file.open("rb") as file:
            pid, socket = file.read(_MAX_TENANT_BYTES).split(b"\n", 1)
    except (OSError, ValueError):
        return None
    if not pid.isdigit() or not socket.startswith(b"/") or b"\0" in socket:
        return None
    return Tenant(int(pid), Path(os.fsdecode(socket)))


def living_tenant(lock_file: Path) -> Tenant | None:
    """The host that holds the lock; `None` when none does, or the file does not say."""
    return read_tenant(lock_file) if is_claimed(lock_file) else None


def is_claimed(lock_file: Path) -> bool:
    """Whether a host lives."""
    return is_locked(lock_file)


def _already_running(lock_file: Path) -> AlreadyRunningError:
    tenant = read_tenant(lock_file)
    whose = f" (pid {tenant.pid})" if tenant is not None else ""
    return AlreadyRunningError(
        f"Another host{whose} works with the conversations beside {lock_file}. "
        "End it with `gemma-chat host stop`."
    )


def _remove_stale(socket: Path) -> None:
    if not socket.is_socket() and os.path.lexists(socket):
        raise HostError(f"{socket} is not a socket and is in the way; move it away.")
    socket.unlink(missing_ok=True)
