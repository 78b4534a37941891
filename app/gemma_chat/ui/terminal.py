"""Keeps the terminal whole: native code may not write on it, and it is put back at every end.

Textual draws on file descriptor 2, where libraries print too. `guard_screen` gives Textual a
descriptor of its own and sends everything else to a log. `Tty` remembers how the terminal was and
restores it after a program that could not do so itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

RESET_SEQUENCES: Final = (
    "\x1b[?2026l"  # no synchronized output
    "\x1b[?1049l"  # the normal screen
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # no mouse reports
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # no focus reports, bracketed paste, size reports
    "\x1b[<u\x1b[>4;0m"  # plain keys
    "\x1b[0m\x1b[?25h\x1b[?7h"  # plain text, cursor, line wrap
)

WIPE: Final = "\x1b[r\x1b[0m\x1b[2J\x1b[H"
"""Empties the screen. GNU screen as it comes, and the Linux console, have no second one to leave:
there the shell would go on in the middle of the picture."""


def refusal(environment: Mapping[str, str]) -> str:
    """Why the screen cannot be shown on this terminal, or an empty string."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return (
            "gemma-chat needs a terminal for its screen. In a script or a pipe use "
            "`gemma-chat ask`, or `gemma-chat --plain` for a conversation line by line."
        )
    return ""


def why_plain(environment: Mapping[str, str]) -> str:
    """Why only the plain line mode is of use on this terminal, or an empty string."""
    term = environment.get("TERM", "")
    if term not in ("", "dumb", "unknown"):
        return ""
    return (
        f"TERM={term} says that this terminal cannot move the cursor, so this is the plain line "
        "mode. For the full screen set TERM to what it really is, xterm-256color for most."
    )


@contextlib.contextmanager
def guard_screen(log: Path) -> Iterator[None]:
    """While this lasts, file descriptor 2 is the log; Textual draws on a private one.

    Holds also while Textual is suspended: a child started then needs the terminal given to it.
    """
    terminal = os.dup(2)
    os.set_inheritable(terminal, False)
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    sys.stderr.flush()
    os.dup2(opened, 2)
    os.close(opened)
    before = sys.__stderr__, sys.stderr
    screen = os.fdopen(terminal, "w", encoding="utf-8", errors="replace", closefd=False)
    # Textual draws on sys.__stderr__; logging and tracebacks of others belong into the log.
    _set_standard_error(screen, before[1])
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            screen.flush()
        _set_standard_error(*before)
        os.dup2(terminal, 2)
        os.close(terminal)


def _set_standard_error(drawn_on: Any, written_to: Any) -> None:
    # Typed as final, but this is the name by which Textual finds its canvas.
    vars(sys)["__stderr__"] = drawn_on
    sys.stderr = written_to


class Tty:
    """The terminal as it was when this was made."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        try:
            self._attributes: list[Any] | None = termios.tcgetattr(descriptor)
        except termios.error:
            self._attributes = None

    def restore(self) -> None:
        """Make the terminal as it was: modes of the line, screen, cursor, mouse, keys."""
        with contextlib.suppress(OSError):
            os.write(2, (WIPE + RESET_SEQUENCES).encode())
        if self._attributes is not None:
            with contextlib.suppress(termios.error):
                # Keys typed meanwhile were meant for the program that has died.
                termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._attributes)
