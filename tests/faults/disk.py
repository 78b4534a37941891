"""Two ways to fill the disk under a running host, and to make room again."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import subprocess
from pathlib import Path
from typing import Final, Protocol

import psutil

SMALL_MB: Final = 64
_BALLAST: Final = "ballast"


class Disk(Protocol):
    """What the host keeps its conversations on."""

    def fill(self, host: int) -> None:
        """Let every write of the host with this pid fail that needs more room; 0: none runs."""

    def make_room(self) -> None:
        """Let writes succeed again. Again is fine."""

    def close(self) -> None:
        """Leave nothing behind."""


class LimitedFiles:
    """RLIMIT_FSIZE of 0 for the process of the host: no file of it takes a byte (EFBIG)."""

    def __init__(self) -> None:
        self._limited: set[int] = set()

    def fill(self, host: int) -> None:
        if not host:
            # To the system, process 0 is the one that asks.
            return
        with contextlib.suppress(ProcessLookupError):
            _, most = resource.prlimit(host, resource.RLIMIT_FSIZE)
            resource.prlimit(host, resource.RLIMIT_FSIZE, (0, most))
            self._limited.add(host)

    def make_room(self) -> None:
        for host in self._limited:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                _, most = resource.prlimit(host, resource.RLIMIT_FSIZE)
                resource.prlimit(host, resource.RLIMIT_FSIZE, (most, most))
        self._limited.clear()

    def close(self) -> None:
        self.make_room()


class SmallFileSystem:
    """A tmpfs of `SMALL_MB` where the home is, filled to its last block (ENOSPC)."""

    def __init__(self, folder: Path) -> None:
        """Mount it; raises `OSError` where this user may not."""
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m,mode=0700", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise PermissionError(errno.EPERM, "a file system cannot be mounted here")
        self._folder = folder

    def fill(self, host: int) -> None:
        with (self._folder / _BALLAST).open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(b"\0" * size):
                        pass

    def make_room(self) -> None:
        (self._folder / _BALLAST).unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self._folder], check=True)


def processes_of(home: Path) -> list[psutil.Process]:
    """All processes that work in this home, besides this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            alive = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get("GEMMA_CHAT_HOME") == str(home):
                found.append(process)
    return found
