"""Leaving the screen for a while: to the shell by ctrl+z, or to the person's own editor.

Textual's own way of suspending starts application mode once more for every SIGCONT, and of these
a program behind a supervisor gets several: two threads would read the keyboard then. Here the
screen is left and taken back exactly once, whoever sends what.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_chat.ui import keys
from gemma_chat.ui.edited_file import Edited, editor_command, read_back

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp

_SETTLED_AFTER = 1.0
"""Seconds after coming back in which another signal to stop or go on is an echo of the last one."""


class Away:
    """Takes the program off the screen and back."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self._off_screen = False
        self._back_at = -_SETTLED_AFTER

    @property
    def off_screen(self) -> bool:
        """Somebody else has the terminal now: nothing may be written to it."""
        return self._off_screen

    def listen(self) -> None:
        """From now on obey the signals to stop and to go on, in place of Textual."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._told_to_stop)
        loop.add_signal_handler(signal.SIGCONT, self._told_to_go_on)

    # ------------------------------------------------------------ the shell

    def to_shell(self) -> str:
        """Stop this program until the shell lets it go on; a sentence when that cannot be."""
        if self._off_screen or self._app.is_headless:
            return ""
        if not _has_shell():
            return (
                "There is no shell that could bring the program back: it was not started from "
                "one with job control. Nothing was suspended."
            )
        with self._left():
            os.kill(os.getpid(), signal.SIGSTOP)
            # In the background (`bg`) nothing may be drawn: stop again until it is in front.
            while not _in_front():
                os.kill(os.getpid(), signal.SIGSTOP)
        return ""

    def _told_to_stop(self) -> None:
        if time.monotonic() - self._back_at < _SETTLED_AFTER:
            return
        if self._off_screen:
            # The editor was suspended, and its whole group with it.
            os.kill(os.getpid(), signal.SIGSTOP)
            self._back_at = time.monotonic()
        else:
            self.to_shell()

    def _told_to_go_on(self) -> None:
        """After a SIGSTOP from outside the shell has had the terminal: take it back."""
        settled = time.monotonic() - self._back_at >= _SETTLED_AFTER
        if settled and not self._off_screen and _in_front() and _cooked():
            with self._left():
                pass

    # ------------------------------------------------------------ the editor

    async def edit(self, text: str, environment: Mapping[str, str] = os.environ) -> Edited:
        """Let the person edit a text in the editor of `VISUAL` or `EDITOR`."""
        if self._off_screen:
            return Edited()
        try:
            command = editor_command(environment)
        except ValueError as error:
            return Edited(sentence=f"VISUAL or EDITOR cannot be understood ({error}).")
        # Not needed for the first paint, and slow to import.
        import tempfile

        with tempfile.TemporaryDirectory(prefix="gemma-chat-") as folder:
            file = Path(folder) / "message.md"
            file.write_text(text + "\n" if text else "", "utf-8")
            with self._left():
                problem = await _run([*command, str(file)])
            if problem:
                return Edited(sentence=f"{problem} Your message is as it was.")
            return read_back(file)

    @contextlib.contextmanager
    def _left(self) -> Iterator[None]:
        """While this lasts, the terminal is as it was before the program began."""
        app = self._app
        app.ask_for_modified_keys(keys.NO_MODIFIED_KEYS)
        # Nothing is drawn meanwhile, but everything that arrives is taken.
        with app.batch_update(), app.suspend():
            self._off_screen = True
            try:
                yield
            finally:
                self._off_screen = False
                self._back_at = time.monotonic()
        app.ask_for_modified_keys(keys.ASK_FOR_MODIFIED_KEYS)
        app.draw_all()


async def _run(command: list[str]) -> str:
    """Run the editor on the terminal; a sentence when it did not end well."""
    name = command[0]
    terminal = sys.__stderr__
    assert terminal is not None
    try:
        # Descriptor 2 is the log while the program runs; the editor gets the real terminal.
        process = await asyncio.create_subprocess_exec(
            *command, stdout=terminal.fileno(), stderr=terminal.fileno()
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"The editor {name!r} cannot be started ({reason}). Set VISUAL or EDITOR."
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        raise
    if code < 0:
        return f"The editor {name!r} was ended by {_signal_name(-code)}."
    return f"The editor {name!r} ended with code {code}." if code else ""


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _has_shell() -> bool:
    """Whether a shell with job control waits for this program: it makes a group for each job."""
    return os.getpgrp() != os.getsid(0)


def _in_front() -> bool:
    """Whether this program may use the terminal."""
    return _of_terminal(lambda: os.tcgetpgrp(0) == os.getpgrp())


def _cooked() -> bool:
    """Whether somebody has set the terminal up for lines instead of keys."""
    return _of_terminal(lambda: bool(termios.tcgetattr(0)[3] & termios.ICANON))


def _of_terminal(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, termios.error):
        # The terminal is gone, and with it everything to wait for.
        return True
