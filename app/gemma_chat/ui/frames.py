"""Frames for a slow line: only what differs from the picture that the terminal shows already.

Textual sends every row of a widget that has scrolled, and every cell of a row that has changed.
At 10 kB/s that is half a second for one line of text. Here the whole next picture is compared with
the last one: what only moved up or down is moved by the terminal itself (a scrolling region, which
every terminal since the VT100 has), and of a changed row only the changed cells are sent.

The comparison takes a millisecond, so it is done only where the line may be slow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.screen import Screen
from textual.strip import Strip

from gemma_chat.config.schema import SlowLine

STREAM_SECONDS = 0.1
"""From one piece of streamed text to the next: a larger frame costs less than two small ones."""

_LEAST_MOVED = 3
"""A scrolling region costs some 25 bytes; fewer rows than this are written anew."""

_ERASED_IN_COLOUR = (
    "xterm", "tmux", "rxvt", "linux", "alacritty", "kitty", "foot", "wezterm", "konsole", "gnome",
    "vte", "putty", "mintty", "st-",
)  # fmt: skip
"""How `TERM` begins where what is erased gets the colour of the ground (terminfo's `bce`).

screen and its kin leave it without colour.
"""
_BLANKS = re.compile(" {12,}")
"""As many are erased in fewer bytes than they are written."""

Cell = tuple[str, Style | None]
Row = tuple[Cell, ...]
"""One cell for each character; a character of two cells is followed by an empty one."""


def is_frugal(wish: SlowLine, environment: Mapping[str, str]) -> bool:
    """Whether bytes count: over SSH, unless the person has said otherwise."""
    if wish != "auto":
        return wish == "always"
    return bool(environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"))


def erases_in_colour(environment: Mapping[str, str]) -> bool:
    """Whether the terminal can be told to draw blanks by erasing."""
    return environment.get("TERM", "").startswith(_ERASED_IN_COLOUR)


class Frames:
    """Remembers what the terminal shows, and makes the bytes that turn it into the next picture."""

    def __init__(self, *, erases: bool = False) -> None:
        """`erases`: the terminal draws blanks by erasing."""
        self._erases = erases
        self._shown: list[Row | None] = []
        self._width = 0

    def forget(self) -> None:
        """Something else has been drawn on the terminal: the next picture is sent as a whole."""
        self._shown = []

    def update(self, strips: Sequence[Strip], colours: ColorSystem) -> str:
        """What has to be written so that the terminal shows these rows."""
        wanted = [_cells(strip) for strip in strips]
        width = max(map(len, wanted), default=0)
        if len(wanted) != len(self._shown) or width != self._width:
            self._shown, self._width = [None] * len(wanted), width
        out = [self._move_rows(wanted)]
        for y, (shown, row) in enumerate(zip(self._shown, wanted, strict=True)):
            if shown != row:
                out.append(_written(y, shown, row, colours, erases=self._erases))
        self._shown = list(wanted)
        return "".join(out)

    def _move_rows(self, wanted: Sequence[Row]) -> str:
        """Let the terminal move the rows that stand in another place now, all by the same way."""
        step, top, end = _movement(self._shown, wanted)
        if end - top < _LEAST_MOVED:
            return ""
        first, last = (top, end + step) if step > 0 else (top + step, end)
        rows = self._shown[first:last]
        new: list[Row | None] = [None] * abs(step)
        self._shown[first:last] = rows[step:] + new if step > 0 else new + rows[:step]
        # A line feed at the foot of the region scrolls it up, a reverse index at its head down.
        where, turn = (last, "\n") if step > 0 else (first + 1, "\x1bM")
        return f"\x1b[0m\x1b[{first + 1};{last}r\x1b[{where};1H{turn * abs(step)}\x1b[r"


class FrugalUpdate(CompositorUpdate):
    """Stands for an update of Textual's and sends what it changes, no more."""

    def __init__(self, frames: Frames, screen: Screen[Any]) -> None:
        self._frames = frames
        self._screen = screen

    def render_segments(self, console: Console) -> str:
        strips = self._screen._compositor.render_strips()
        return self._frames.update(strips, console._color_system or ColorSystem.TRUECOLOR)


def frugal(
    update: RenderableType | None, frames: Frames | None, screen: Screen[Any]
) -> RenderableType | None:
    """`update` in its frugal form, when it is one of Textual's pictures of the screen."""
    if frames is not None and isinstance(update, CompositorUpdate):
        return FrugalUpdate(frames, screen)
    return update


# ---------------------------------------------------------------- comparing


def _cells(strip: Strip) -> Row:
    return tuple(_cells_of(strip))


def _cells_of(strip: Strip) -> Iterator[Cell]:
    for text, style, control in strip:
        if control:
            continue
        look = style.clear_meta_and_links() if style is not None and not style.link else style
        if text.isascii():
            for character in text:
                yield character, look
        elif width := cell_len(text):
            # Terminals differ in how wide they draw what is not ASCII: sent in one piece.
            yield text, look
            yield from (("", look),) * (width - 1)


def _movement(shown: Sequence[Row | None], wanted: Sequence[Row]) -> tuple[int, int, int]:
    """By how many rows most of the changed ones have moved up, and the rows where they are now."""
    places = {row: y for y, row in enumerate(shown) if row is not None and not _is_blank(row)}
    moved = {
        y: places[row] - y for y, row in enumerate(wanted) if row in places and shown[y] != row
    }
    if not moved:
        return 0, 0, 0
    step, _ = Counter(moved.values()).most_common(1)[0]
    rows = [y for y, by in moved.items() if by == step]
    return step, rows[0], rows[-1] + 1


def _is_blank(row: Row) -> bool:
    return all(text in (" ", "") for text, _ in row)


def _written(y: int, shown: Row | None, row: Row, colours: ColorSystem, *, erases: bool) -> str:
    """The changed cells of a row, with the way to them."""
    start, end = _changed(shown, row)
    runs = [
        ("".join(character for character, _ in cells), style)
        for style, cells in groupby(row[start:end], itemgetter(1))
    ]
    out = [f"\x1b[{y + 1};{start + 1}H"]
    for place, (text, style) in enumerate(runs, 1):
        if erases and _has_plain_ground(style):
            text = _with_erased_blanks(text, to_edge=end == len(row) and place == len(runs))
        out.append(text if style is None else style.render(text, color_system=colours))
    return "".join(out)


def _has_plain_ground(style: Style | None) -> bool:
    """Whether a blank in this style is nothing but its ground."""
    return style is None or not (
        style.reverse or style.underline or style.underline2 or style.strike or style.overline
        or style.frame or style.encircle or style.link
    )  # fmt: skip


def _with_erased_blanks(text: str, *, to_edge: bool) -> str:
    def erased(blanks: re.Match[str]) -> str:
        if to_edge and blanks.end() == len(text):
            return "\x1b[K"
        count = len(blanks[0])
        return f"\x1b[{count}X\x1b[{count}C"

    return _BLANKS.sub(erased, text)


def _changed(shown: Row | None, row: Row) -> tuple[int, int]:
    """The stretch of a row that differs; never a part of what is wider than one cell."""
    if shown is None or len(shown) != len(row):
        return 0, len(row)
    differing = [x for x, (old, new) in enumerate(zip(shown, row, strict=True)) if old != new]
    start, end = differing[0], differing[-1] + 1
    while start and not (row[start][0] and shown[start][0]):
        start -= 1
    while end < len(row) and not (row[end][0] and shown[end][0]):
        end += 1
    return start, end
