"""Where lines break.

Widths are Rich's, character by character, because that is what Textual paints with. A break
never falls inside a grapheme as Rich sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes

_WIDE = (
    "\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60"
)
_MARKS = "\u0300-\u036f\u200d\u20d0-\u20ff\u302a-\u302f\u3099\u309a\ufe00-\ufe0f"
# Scripts without spaces break before any of their characters.
_CHUNK = re.compile(f" +|[{_WIDE}][{_MARKS}]*|[^ {_WIDE}]+")


class Row(NamedTuple):
    """The characters of one row, and the white space lost at the break before it.

    `glue` is None where the row begins a line of the text.
    """

    start: int
    end: int
    glue: str | None


def wrap(text: str, width: int) -> Iterator[Row]:
    """Cut text into rows of at most `width` cells (a single wide character may exceed 1 cell).

    White space at a break is dropped, white space at the start of a line of the text is kept.
    """
    start = 0
    for line in text.split("\n"):
        if line.isascii() and len(line) <= width:
            yield Row(start, start + len(line), None)
        else:
            yield from _wrap_line(line, start, max(1, width))
        start += len(line) + 1


def fold(text: str, width: int) -> list[tuple[int, int, int]]:
    """Cut text into pieces of at most `width` cells, without regard to words.

    Returns start, end and width in cells of each piece.
    """
    if text.isascii():
        ends = range(width, len(text) + width, width)
        return [
            (end - width, min(end, len(text)), min(width, len(text) - end + width)) for end in ends
        ]
    pieces: list[tuple[int, int, int]] = []
    start = used = 0
    for begin, end, size in split_graphemes(text)[0]:
        # Joiners with nothing before them to join: Rich paints what it counts as nothing here.
        size = max(size, cell_len(text[begin:end]))
        if used + size > width and used:
            pieces.append((start, begin, used))
            start, used = begin, 0
        used += size
    if start < len(text):
        pieces.append((start, len(text), used))
    return pieces


def _wrap_line(line: str, base: int, width: int) -> Iterator[Row]:
    row_start = row_end = used = gap = 0
    glue: str | None = None
    for match in _CHUNK.finditer(line):
        chunk, start, end = match[0], match.start(), match.end()
        size = len(chunk) if chunk.isascii() else cell_len(chunk)
        if chunk[0] == " " and row_end > row_start:
            gap = size
            continue
        if used + gap + size <= width:
            row_end, used, gap = end, used + gap + size, 0
            continue
        if row_end > row_start:
            yield Row(base + row_start, base + row_end, glue)
            glue = line[row_end:start]
        pieces = fold(chunk, width)
        for piece_start, piece_end, _ in pieces[:-1]:
            yield Row(base + start + piece_start, base + start + piece_end, glue)
            glue = ""
        row_start, row_end = start + pieces[-1][0], end
        used, gap = pieces[-1][2], 0
    yield Row(base + row_start, base + row_end, glue)
