"""Lines to strips: the one place where tags become styles and cells are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, get_args

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.strip import Strip

from gemma_chat.ui.markdown import Line, Run, Tag
from gemma_chat.ui.markdown.lines import Tags

GUTTER = 2
"""Cells to the left of every row."""
RIGHT_MARGIN = 1
MIN_TEXT_WIDTH = 8
MAX_TEXT_WIDTH = 110
"""Longer lines are hard to read."""
_CACHED_STRIPS = 1024

_TAGS: tuple[Tag, ...] = get_args(Tag)
_PERSON_GUTTER = Run("┃ ", frozenset({"person"}))
_GUTTER = Run("  ")

COMPONENT_CLASSES = frozenset(f"transcript--{tag}" for tag in _TAGS) | {"transcript--below"}


class _Key(NamedTuple):
    line: Line
    by_person: bool


class StripPainter:
    """Paints lines of one width; `style_of` gives the style of component classes."""

    def __init__(self, width: int, style_of: Callable[[tuple[str, ...]], Style]) -> None:
        self.width = width
        space = width - GUTTER - RIGHT_MARGIN
        self.text_width = max(MIN_TEXT_WIDTH, min(space, MAX_TEXT_WIDTH))
        self._style_of = style_of
        self._styles: dict[Tags, Style] = {}
        self._strips: LRUCache[_Key, Strip] = LRUCache(_CACHED_STRIPS)

    def style(self, tags: Tags) -> Style:
        """The style of a run."""
        style = self._styles.get(tags)
        if style is None:
            names = tuple(f"transcript--{tag}" for tag in _TAGS if tag in tags)
            style = self._styles[tags] = self._style_of(names)
        return style

    def paint(self, line: Line, *, by_person: bool) -> Strip:
        """A row of exactly the width."""
        key = _Key(line, by_person)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._painted(line, by_person)
        return strip

    def sign(self, text: str) -> Strip:
        """A row with a sign in the middle."""
        style = self._style_of(("transcript--below",))
        space = max(0, self.width - cell_len(text))
        strip = Strip([Segment(" " * (space // 2) + text, style)])
        return strip.adjust_cell_length(self.width, style)

    def _painted(self, line: Line, by_person: bool) -> Strip:
        runs = (_PERSON_GUTTER if by_person else _GUTTER, *line.runs)
        segments = [Segment(run.text, self.style(run.tags)) for run in runs]
        strip = Strip(segments)
        plain = self.style(frozenset())
        if line.fill:
            right = max(strip.cell_length, GUTTER + self.text_width)
            strip = strip.extend_cell_length(right, self.style(line.fill))
        return strip.adjust_cell_length(self.width, plain).simplify()


def with_selection(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """The strip with the characters from `start` to `end` in the style of a selection."""
    segments: list[Segment] = []
    position = 0
    for text, own, _ in strip:
        after = position + len(text)
        cuts = [min(max(cut - position, 0), len(text)) for cut in (start, end)]
        for piece, selected in (
            (text[: cuts[0]], False),
            (text[cuts[0] : cuts[1]], True),
            (text[max(cuts) :], False),
        ):
            if piece:
                segments.append(Segment(piece, (own or Style()) + style if selected else own))
        position = after
    return Strip(segments).adjust_cell_length(strip.cell_length)
