"""Small pictures of what was sent, in half blocks: two pixels a cell, one above the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache

from gemma_chat.ui.markdown import Line, Run

COLUMNS = 40
ROWS = 10
_KEPT = 64

Pixel = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class PictureLine(Line):
    """A row of a picture; `pixels` are the upper and the lower one of each cell."""

    pixels: tuple[tuple[Pixel, Pixel], ...] = ()

    def segments(self) -> Iterator[Segment]:
        """The cells in their own colours, which no theme changes."""
        for upper, lower in self.pixels:
            style = Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
            yield Segment("▀", style)


def picture_lines(width: int, height: int, rgb: bytes) -> tuple[PictureLine, ...]:
    """The rows of a picture of three bytes a pixel; an odd last row is doubled."""

    def pixel(column: int, row: int) -> Pixel:
        at = 3 * (min(row, height - 1) * width + column)
        return rgb[at], rgb[at + 1], rgb[at + 2]

    return tuple(
        PictureLine(
            (Run("▀" * width),),
            lead=width,
            pixels=tuple((pixel(x, row), pixel(x, row + 1)) for x in range(width)),
        )
        for row in range(0, height, 2)
    )


class Previews:
    """The pictures that are there, and those that somebody looks at and that are not."""

    def __init__(self) -> None:
        self._lines: LRUCache[str, tuple[PictureLine, ...]] = LRUCache(_KEPT)
        self._asked: set[str] = set()
        self._wanted: list[str] = []

    def lines(self, digest: str) -> tuple[PictureLine, ...]:
        """The rows of a picture; none while it is not here, and then it is wanted."""
        found = self._lines.get(digest)
        if found is None and digest not in self._asked:
            self._asked.add(digest)
            self._wanted.append(digest)
        return found or ()

    def take_wanted(self) -> tuple[str, ...]:
        """The digests of pictures that are wanted and were not asked for yet."""
        wanted, self._wanted = tuple(self._wanted), []
        return wanted

    def keep(self, digest: str, lines: tuple[PictureLine, ...]) -> None:
        """A picture has come."""
        self._lines[digest] = lines
        self._asked.discard(digest)
