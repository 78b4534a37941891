"""A screen as readable text: what stands in every cell, and how it is drawn in each theme.

A picture has three parts. The text, as it is read. The styles, a letter for every cell; blank is
the style of most cells. The letters, each with its colours in every theme and the contrast
between them. A theme changes colours only, so that one grid of letters serves them all.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_letters, digits

from rich.cells import cell_len
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.strip import Strip

from gemma_chat.ui.themes import contrast

_LETTERS = digits + ascii_letters
_BLANK = " "
_ATTRIBUTES = ("bold", "dim", "italic", "underline", "strike", "reverse")


@dataclass(frozen=True, order=True, slots=True)
class Ink:
    """How a cell is drawn. A cell with nothing in it has no `text` colour."""

    ground: str
    text: str = ""
    attributes: str = ""

    @property
    def contrast(self) -> float:
        """Of the text with its ground; 0 without text."""
        return contrast(Color.parse(self.text), Color.parse(self.ground)) if self.text else 0.0

    def __str__(self) -> str:
        if not self.text:
            return f"{'':7} on {self.ground}"
        words = f"{self.text} on {self.ground} {self.contrast:4.1f}"
        return f"{words} {self.attributes}".rstrip()


@dataclass(frozen=True, slots=True)
class Shot:
    """The screen in one theme."""

    text: tuple[str, ...]
    inks: tuple[tuple[Ink, ...], ...]

    @classmethod
    def of(cls, app: App[None]) -> Shot:
        """What the screen shows now."""
        strips = app.screen._compositor.render_strips()
        return cls(
            tuple(strip.text.rstrip() for strip in strips),
            tuple(tuple(_inks(strip)) for strip in strips),
        )

    def letters(self) -> Iterator[tuple[int, int, Ink]]:
        """Row, column and ink of every letter and digit."""
        for y, (line, inks) in enumerate(zip(self.text, self.inks, strict=True)):
            x = 0
            for character in line:
                if character.isalnum():
                    yield y, x, inks[x]
                x += cell_len(character)


def picture(shots: Mapping[str, Shot]) -> str:
    """One screen in several themes, as text."""
    first = next(iter(shots.values()))
    for theme, shot in shots.items():
        assert shot.text == first.text, f"the theme {theme} changes more than colours"
    cells = [list(zip(*rows, strict=True)) for rows in zip(*_grids(shots), strict=True)]
    letters = _letters([ink for row in cells for ink in row])
    styles = ("".join(letters[ink] for ink in row).rstrip() for row in cells)
    legend = (
        f"{letter} {'   '.join(f'{ink!s:<36}' for ink in inks)}".rstrip()
        for inks, letter in sorted(letters.items(), key=lambda item: item[1])
    )
    parts = ("\n".join(first.text), "\n".join(styles), "\n".join(legend))
    headings = ("text", "styles", f"letters ({', '.join(shots)})")
    return "".join(f"── {heading}\n{part}\n" for heading, part in zip(headings, parts, strict=True))


def _grids(shots: Mapping[str, Shot]) -> list[tuple[tuple[Ink, ...], ...]]:
    return [shot.inks for shot in shots.values()]


def _inks(strip: Strip) -> list[Ink]:
    inks: list[Ink] = []
    for segment in strip:
        style = segment.style or Style()
        for character in segment.text:
            inks += [_ink(style, seen=not character.isspace())] * cell_len(character)
    return _with_spaces_drawn(inks)


def _with_spaces_drawn(inks: list[Ink]) -> list[Ink]:
    """Give spaces within a text the ink of the text, so that its letters are one run."""
    drawn = list(inks)
    last = 0
    for place, ink in enumerate(inks):
        if ink.text:
            between = inks[last + 1 : place]
            if ink == inks[last] and all(space == Ink(ink.ground) for space in between):
                drawn[last:place] = [ink] * (place - last)
            last = place
    return drawn


@lru_cache(maxsize=512)
def _ink(style: Style, *, seen: bool) -> Ink:
    """The ink of this style; of a cell with nothing in it only what shows all the same."""
    attributes = " ".join(name for name in _ATTRIBUTES if getattr(style, name))
    ground = _hex(style.bgcolor)
    if seen or style.underline or style.strike or style.reverse:
        return Ink(ground, _hex(style.color), attributes)
    return Ink(ground)


def _hex(colour: object) -> str:
    triplet = getattr(colour, "triplet", None)
    return triplet.hex if triplet is not None else "default"


def _letters(cells: Sequence[tuple[Ink, ...]]) -> dict[tuple[Ink, ...], str]:
    """A letter for every combination of inks.

    It follows from the colours, not from the order: a new combination leaves the others theirs,
    and most have the same one in all pictures.
    """
    most, _ = Counter(cells).most_common(1)[0]
    letters = {most: _BLANK}
    free = set(_LETTERS)
    for inks in sorted(set(cells) - {most}):
        wanted = zlib.crc32("".join(map(str, inks)).encode())
        places = (_LETTERS[(wanted + step) % len(_LETTERS)] for step in range(len(_LETTERS)))
        letter = next(letter for letter in places if letter in free)
        free.remove(letter)
        letters[inks] = letter
    return letters
