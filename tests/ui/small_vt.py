"""A terminal as small as can be: enough of a VT100 to check what a program draws on it."""

from __future__ import annotations

import re

from rich.cells import cell_len

_PART = re.compile(r"\x1b\[([?>=]?)([\d;]*)([A-Za-z])|\x1bM|\n|[^\x1b\n]+")


class SmallVt:
    """Cells of a character and its colours. What it does not know it refuses."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells = [[("?", "")] * width for _ in range(height)]
        self._x = self._y = 0
        self._look = ""
        self._top, self._end = 0, height

    @property
    def text(self) -> list[str]:
        """The rows, as text."""
        return ["".join(character for character, _ in row) for row in self.cells]

    def feed(self, written: str) -> None:
        """Draw."""
        at = 0
        for part in _PART.finditer(written):
            assert part.start() == at, f"not understood: {written[at : at + 20]!r}"
            at = part.end()
            if part.group(1) == "?" and part.group(3) in "hl":
                continue
            if part.group(3):
                self._control(part.group(2), part.group(3))
            elif part.group() == "\x1bM":
                assert self._y == self._top
                self._scroll(-1)
            elif part.group() == "\n":
                assert self._y == self._end - 1
                self._scroll(1)
            else:
                self._draw(part.group())
        assert at == len(written)

    def _control(self, parameters: str, final: str) -> None:
        numbers = [int(number or 0) for number in parameters.split(";")]
        match final:
            case "m":
                self._look = "" if parameters == "0" else parameters
            case "H":
                self._y, self._x = (numbers[0] - 1, numbers[1] - 1) if parameters else (0, 0)
            case "J":
                self.cells = [[(" ", "")] * self.width for _ in range(self.height)]
            case "r":
                self._top, self._end = (
                    (numbers[0] - 1, numbers[1]) if parameters else (0, self.height)
                )
                self._x = self._y = 0
            case _:
                raise AssertionError(f"CSI {parameters}{final} is not understood")

    def _scroll(self, step: int) -> None:
        blank = [(" ", "")] * self.width
        region = self.cells[self._top : self._end]
        moved = [*region[1:], blank] if step > 0 else [blank, *region[:-1]]
        self.cells[self._top : self._end] = moved

    def _draw(self, text: str) -> None:
        for character in text:
            cells = cell_len(character)
            assert self._x + cells <= self.width, "drawn beyond the edge"
            self.cells[self._y][self._x] = (character, self._look)
            for beside in range(1, cells):
                self.cells[self._y][self._x + beside] = ("", self._look)
            self._x += cells
