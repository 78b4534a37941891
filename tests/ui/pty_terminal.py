"""A pseudo-terminal with a program on it, as a person's terminal has it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

APP = Path(__file__).resolve().parents[2] / "app"
PATIENCE = 60.0
"""Seconds after which what does not come will not come."""


class PtyTerminal:
    """One program on a terminal of its own. `output` is everything it has written."""

    def __init__(self, code: str, environment: Mapping[str, str], size: tuple[int, int]) -> None:
        pid, self._master = pty.fork()
        if pid == 0:
            _become(code, environment)
        self.pid = pid
        self.output = b""
        self.exit_code: int | None = None
        self.resize(*size)

    def until(self, text: str) -> None:
        """Read until this was written; fails with the last output otherwise."""
        deadline = time.monotonic() + PATIENCE
        wanted = text.encode()
        while wanted not in self.output:
            assert self._read(deadline), (
                f"{text!r} never came; the last output was {self.output[-1500:]!r}"
            )

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; the kernel tells the program (SIGWINCH)."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number: signal.Signals, pid: int | None = None) -> None:
        """Send a signal to the program, or to one of its processes."""
        os.kill(pid or self.pid, number)

    def until_stopped(self) -> None:
        """Wait until the program was stopped by a signal."""
        deadline = time.monotonic() + PATIENCE
        while not os.waitpid(self.pid, os.WUNTRACED | os.WNOHANG)[0]:
            self._read(min(deadline, time.monotonic() + 0.05))
            assert time.monotonic() < deadline, "the program was not stopped"

    def paste(self, text: str) -> None:
        """Paste, reading what the program writes meanwhile: neither side may block the other."""
        left = f"\x1b[200~{text}\x1b[201~".encode()
        deadline = time.monotonic() + PATIENCE
        while left:
            assert time.monotonic() < deadline, "the program does not read its keyboard"
            readable, writable, _ = select.select([self._master], [self._master], [], 0.1)
            if readable:
                self._read(deadline)
            if writable:
                left = left[os.write(self._master, left[:2048]) :]

    def wait(self) -> int:
        """Read until the program ends; its exit code, or minus the signal that killed it."""
        deadline = time.monotonic() + PATIENCE
        while self.exit_code is None:
            self._read(min(deadline, time.monotonic() + 0.05))
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"the program goes on; {self.output[-2000:]!r}"
        while self._read(time.monotonic()):
            pass
        return self.exit_code

    def children(self) -> list[int]:
        """The processes that the program started itself."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    @property
    def attributes(self) -> list[Any]:
        """The modes of the terminal's line."""
        return termios.tcgetattr(self._master)

    def close(self) -> None:
        """End what is left."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)

    def _read(self, deadline: float, most: int = 65536) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            read = os.read(self._master, most)
        except OSError:
            return False
        self.output += read
        return bool(read)


def _become(code: str, environment: Mapping[str, str]) -> None:
    # As in a person's shell: none of the files that whoever runs the tests has open.
    os.closerange(3, 256)
    variables = {
        "PATH": os.environ.get("PATH", ""),
        "TERM": "xterm-256color",
        "PYTHONPATH": str(APP),
        "LANG": "C.UTF-8",
        **environment,
    }
    os.execve(sys.executable, [sys.executable, "-c", code], variables)


@contextlib.contextmanager
def on_terminal(
    code: str, environment: Mapping[str, str] | None = None, size: tuple[int, int] = (80, 24)
) -> Iterator[PtyTerminal]:
    """Run Python code on a terminal."""
    terminal = PtyTerminal(code, environment or {}, size)
    try:
        yield terminal
    finally:
        terminal.close()
