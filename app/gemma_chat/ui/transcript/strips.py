"""Lines to strips: the one place where tags become styles and cells are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.strip import Strip

from gemma_chat.ui.markdown import Line, Run, Tag
from gemma_chat.ui.markdown.lines import Tags
from gemma_chat.ui.transcript.previews import PictureLine

GUTTER = 2
"""Cells to the left of every row."""
RIGHT_MARGIN = 1
MIN_TEXT_WIDTH = 8
MAX_TEXT_WIDTH = 110
"""Longer lines are hard to read."""
_CACHED_STRIPS = 1024

_TAGS: tuple[Tag, ...] = get_args(Tag)
Gutter = Literal["none", "person", "cursor"]
"""What stands to the left of a row: nothing, a person's bar, or the cursor's."""
_GUTTERS: dict[Gutter, Run] = {
    "none": Run("  "),
    "person": Run("┃ ", frozenset({"person"})),
    "cursor": Run("▌ ", frozenset({"marker", "strong"})),
}

COMPONENT_CLASSES = frozenset(f"transcript--{tag}" for tag in _TAGS) | {
    "transcript--below",
    "transcript--match",
    "transcript--match-current",
}


class _Key(NamedTuple):
    line: Line
    gutter: Gutter


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

    def paint(self, line: Line, gutter: Gutter = "none") -> Strip:
        """A row of exactly the width."""
        key = _Key(line, gutter)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._painted(line, gutter)
        return strip

    def matched(self, strip: Strip, start: int, end: int, *, current: bool) -> Strip:
        """The strip with a match of a search, from character `start` to `end` of its text."""
        name = "transcript--match-current" if current else "transcript--match"
        return with_selection(strip, GUTTER + start, GUTTER + end, self._style_of((name,)))

    def sign(self, text: str) -> Strip:
        """A row with a sign in the middle."""
        style = self._style_of(("transcript--below",))
        space = max(0, self.width - cell_len(text))
        strip = Strip([Segment(" " * (space // 2) + text, style)])
        return strip.adjust_cell_length(self.width, style)

    def _painted(self, line: Line, gutter: Gutter) -> Strip:
        runs = (_GUTTERS[gutter], *(() if isinstance(line, PictureLine) else line.runs))
        segments = [Segment(run.text, self.style(run.tags)) for run in runs]
        if isinstance(line, PictureLine):
            segments += line.segments()
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
