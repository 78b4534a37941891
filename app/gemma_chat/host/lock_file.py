"""A file whose lock says that somebody is at work, and that is gone when nobody is.

The lock ends with the process that holds it, however it ends, so it never has to be broken. The
holder removes the file before it lets go. Whoever waited for the lock of a removed file holds
nothing, so each taker looks whether its file is still the one at the path.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class LockFile:
    """A lock that is held. Made by `take`."""

    path: Path
    descriptor: int

    @classmethod
    def take(cls, path: Path) -> LockFile | None:
        """Take the lock on `path`, made (0600) when it is missing; `None` when another holds it.

        Raises `OSError` when the file cannot be opened; a link is not followed.
        """
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    return cls(path, descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def write(self, content: bytes) -> None:
        """Put `content` in the place of what the file holds."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, content, 0)

    def release(self) -> None:
        """Remove the file and let the lock go. Once."""
        self.path.unlink(missing_ok=True)
        os.close(self.descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock on `path`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one that `path` names."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
