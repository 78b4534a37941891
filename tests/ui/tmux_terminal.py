"""The program in tmux, on a pseudo-terminal, with a host that the test plays."""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from tests.host.rig import Rig, running
from tests.sessions.scripted import ScriptedEngine
from tests.ui.pty_terminal import APP, PATIENCE, PtyTerminal, on_terminal

from gemma_chat.config.paths import Paths

PROGRAM = """
import sys
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui import clipboard, start
# A busy machine is no reason to take another way than through tmux.
clipboard.PROGRAM_SECONDS = 60.0
paths = Paths.default()
launch = HostLaunch(paths, ("--no-such-option",))
sys.exit(start.run_terminal(start.TerminalOptions(load_settings(paths), launch)))
"""
OPTIONS = """
set -s escape-time 10
set -g mouse on
set -g status off
set -g set-clipboard on
"""
SIZE = (80, 24)
NEARBY: Mapping[str, str] = {}
OVER_SSH: Mapping[str, str] = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
"""By this the program knows that the line may be slow, and sends only what differs."""


class TmuxTerminal:
    """A tmux with one window. What is typed and clicked goes through tmux to what runs there."""

    def __init__(self, terminal: PtyTerminal, name: str) -> None:
        self.terminal = terminal
        self._name = name

    def tmux(self, *command: str) -> str:
        """Carry out a command of tmux; what it prints."""
        done = subprocess.run(
            ["tmux", "-L", self._name, *command], capture_output=True, text=True, check=True
        )
        return done.stdout

    @property
    def screen(self) -> str:
        """What stands in the window."""
        return self.tmux("capture-pane", "-p")

    def until(self, holds: Callable[[str], bool]) -> str:
        """Read until this holds of the screen; the screen."""
        deadline = time.monotonic() + PATIENCE
        while not holds(screen := self.screen):
            assert time.monotonic() < deadline, f"never so; the screen:\n{screen}"
            self.terminal._read(min(deadline, time.monotonic() + 0.05))
        return screen

    def until_shown(self, *words: str) -> str:
        """Read until all these words stand on the screen; the screen."""
        return self.until(lambda screen: all(word in screen for word in words))

    def until_gone(self, word: str) -> str:
        """Read until this word stands there no more; the screen."""
        return self.until(lambda screen: word not in screen)

    def place_of(self, word: str) -> tuple[int, int]:
        """Column and row, from 1, of a word that is on the screen."""
        for row, line in enumerate(self.screen.splitlines(), 1):
            if word in line:
                return line.index(word) + 1, row
        raise AssertionError(f"{word!r} is not on the screen:\n{self.screen}")

    def press(self, keys: str) -> None:
        """Type, as the terminal around tmux sends it."""
        self.terminal.send(keys)

    def click(self, word: str) -> None:
        """Press and release the left button on a word."""
        column, row = self.place_of(word)
        self.press(f"\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m")

    def drag(self, word: str, cells: int) -> None:
        """Press at the beginning of a word, and release so many cells further."""
        column, row = self.place_of(word)
        self.press(f"\x1b[<0;{column};{row}M")
        for moved in range(1, cells + 1):
            self.press(f"\x1b[<32;{column + moved};{row}M")
        self.press(f"\x1b[<0;{column + cells};{row}m")

    def wheel(self, word: str, *, up: bool, turns: int) -> None:
        """Turn the wheel over a word."""
        column, row = self.place_of(word)
        self.press(f"\x1b[<{64 if up else 65};{column};{row}M" * turns)

    @property
    def modes(self) -> dict[str, str]:
        """What the program has switched on in its terminal."""
        names = ("alternate_on", "mouse_any_flag", "cursor_flag", "keypad_cursor_flag")
        values = self.tmux("display-message", "-p", " ".join(f"#{{{name}}}" for name in names))
        return dict(zip(names, values.split(), strict=True))


@contextlib.contextmanager
def in_tmux(command: str, environment: dict[str, str]) -> Iterator[TmuxTerminal]:
    """A shell command in tmux, and a line with its exit code after it."""
    name = f"gemma-chat-test-{os.getpid()}-{random.randrange(10**9)}"
    with tempfile.TemporaryDirectory() as folder:
        options = Path(folder) / "tmux.conf"
        options.write_text(OPTIONS)
        # `cat` keeps the window, so that it can be seen how the program has left it.
        shell = f"{command}; echo left with $?; exec cat"
        words = ["tmux", "-L", name, "-f", str(options), "new-session", shell]
        code = f"import os; os.execvp('tmux', {words!r})"
        with on_terminal(code, {"PYTHONPATH": str(APP), **environment}, SIZE) as terminal:
            try:
                # From then on tmux can be asked what it shows.
                terminal.until("\x1b[?1049h")
                yield TmuxTerminal(terminal, name)
            finally:
                subprocess.run(
                    ["tmux", "-L", name, "kill-server"], capture_output=True, check=False
                )


@contextlib.asynccontextmanager
async def host_in_reach(
    engine: ScriptedEngine, line: Mapping[str, str]
) -> AsyncIterator[tuple[Rig, str, dict[str, str]]]:
    """A host of the test's own, whose engine does as it is told; and the program that finds it.

    The program is a shell command, with the variables it needs; `line` is `NEARBY` or `OVER_SSH`.
    """
    with tempfile.TemporaryDirectory(prefix="gc-") as folder:
        variables = {"GEMMA_CHAT_HOME": folder, **line}
        program = Path(folder) / "program.py"
        program.write_text(PROGRAM)
        paths = Paths.default(environment=variables)
        paths.make_folders()
        async with running(paths.socket.parent, engine) as rig:
            assert rig.socket == paths.socket
            command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
            yield rig, command, variables
