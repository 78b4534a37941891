"""Several real programs on pseudo-terminals, read all the time, and what each of them shows."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Callable, Sequence
from typing import Final

from rich.cells import cell_len
from tests.ui.pty_terminal import PtyTerminal

SIZE: Final = (120, 40)
PATIENCE: Final = 20.0
"""Seconds after which what is not shown will not be."""
REST: Final = 0.35
"""Between two changes: what one of them set going has come to rest."""
INPUT_ROWS: Final = 4
"""The lowest ones: the input, and the status line."""

_PART = re.compile(
    r"\x1b\[(?P<parameters>[?<=>\d;:]*)[ -/]*(?P<final>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^][^\x1b]*\x1b\\|\x1b[^\[\]P_^]"
    r"|[\r\n]|(?P<text>[^\x00-\x1f\x7f]+)"
)
_CUT = re.compile(r"\x1b(?:\[[?<=>\d;:]*|[\]P_^][^\x07\x1b]*\x1b?)?\Z")


class Screen:
    """What a program shows: as much of a terminal as is needed to read its text."""

    def __init__(self, terminal: PtyTerminal) -> None:
        self.terminal = terminal
        self.drawn_at = 0.0
        self._width, self._height = SIZE
        self._cells = [[" "] * self._width for _ in range(self._height)]
        self._x = self._y = 0
        self._rest = b""

    @property
    def text(self) -> list[str]:
        """The rows."""
        return ["".join(row) for row in self._cells]

    @property
    def shown(self) -> str:
        """All rows."""
        return "\n".join(self.text)

    @property
    def transcript(self) -> str:
        """The rows between the tab bar and the input."""
        return "\n".join(self.text[1:-INPUT_ROWS])

    def take(self) -> None:
        """Draw what the program has written."""
        self.drawn_at = time.perf_counter()
        written = (self._rest + self.terminal.output).decode("utf-8", errors="ignore")
        self.terminal.output = b""
        cut = _CUT.search(written)
        end = cut.start() if cut is not None else len(written)
        self._rest = written[end:].encode()
        for part in _PART.finditer(written[:end]):
            self._draw(part)

    def _draw(self, part: re.Match[str]) -> None:
        if part["text"]:
            for character in part["text"]:
                if self._x < self._width:
                    self._cells[self._y][self._x] = character
                for beside in range(1, min(cell_len(character), self._width - self._x)):
                    self._cells[self._y][self._x + beside] = ""
                self._x += cell_len(character)
        elif part["final"] == "H":
            row, _, column = part["parameters"].partition(";")
            self._y, self._x = int(row or 1) - 1, int(column or 1) - 1
        elif part["final"] == "C":
            self._x += int(part["parameters"] or 1)
        elif part["final"] == "J":
            self._cells = [[" "] * self._width for _ in range(self._height)]
        elif part["final"] == "K":
            self._cells[self._y][self._x :] = [" "] * (self._width - self._x)
        elif part.group() == "\n":
            self._y = min(self._y + 1, self._height - 1)
        elif part.group() == "\r":
            self._x = 0


class Wall:
    """All screens, read all the time: a program that is not read stops."""

    def __init__(self, screens: Sequence[Screen]) -> None:
        self.screens = tuple(screens)
        self._by_descriptor = {screen.terminal._master: screen for screen in screens}
        self._poll = select.epoll()
        for descriptor in self._by_descriptor:
            self._poll.register(descriptor, select.EPOLLIN)

    @property
    def acting(self) -> Screen:
        """The terminal in which changes are made."""
        return self.screens[0]

    def read(self, seconds: float) -> None:
        """Take what is written within so many seconds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._read_once(left)

    def type(self, keys: str) -> None:
        """Type into the terminal that acts."""
        self.acting.terminal.send(keys)

    def until(self, holds: Callable[[Screen], bool], *screens: Screen) -> list[float]:
        """Read until it holds of all these screens, all by default; when each was drawn so."""
        wanted = screens or self.screens
        drawn: dict[Screen, float] = {screen: time.perf_counter() for screen in wanted}
        waiting = {screen for screen in wanted if not holds(screen)}
        deadline = time.monotonic() + PATIENCE
        while waiting:
            assert time.monotonic() < deadline, self._seen(waiting)
            for screen in self._read_once(0.1) & waiting:
                if holds(screen):
                    drawn[screen] = screen.drawn_at
                    waiting.remove(screen)
        return [drawn[screen] for screen in wanted]

    def _seen(self, waiting: set[Screen]) -> str:
        """All screens, for whoever wants to know what was shown instead."""
        return "\n".join(
            f"terminal {number}{' still waits' if screen in waiting else ''}:\n{screen.shown}"
            for number, screen in enumerate(self.screens, 1)
        )

    def shows(self, text: str, *screens: Screen) -> None:
        """Read until all of these screens show it."""
        self.until(lambda screen: text in screen.shown, *screens)

    def time(self, key: str, holds: Callable[[Screen], bool]) -> tuple[float, float]:
        """Seconds from a key until this terminal shows its effect, and until all others do."""
        assert not any(map(holds, self.screens)), "shown before it was done"
        begin = time.perf_counter()
        self.type(key)
        own, *others = (at - begin for at in self.until(holds))
        self.read(REST)
        return own, max(others)

    def _read_once(self, most: float) -> set[Screen]:
        read = set()
        for descriptor, _ in self._poll.poll(most):
            screen = self._by_descriptor[descriptor]
            if screen.terminal._read(time.monotonic()):
                screen.take()
                read.add(screen)
        return read
