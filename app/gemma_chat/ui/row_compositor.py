"""Textual's compositor, which renders of a changed screen only the rows that have changed.

For one changed row Textual 8.2 renders all rows of every widget that has a part in it, the boxes
around it that nobody sees too: four fifths of what a frame of streamed text costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.strip import Strip

Rows = tuple[int, int]
"""From the first row up to but not including the second."""


def rows_of(regions: Iterable[Region]) -> list[Rows]:
    """The stretches of rows in which the regions lie, from the top."""
    stretches: list[Rows] = []
    for start, end in sorted((region.y, region.bottom) for region in regions):
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(end, stretches[-1][1])
        else:
            stretches.append((start, end))
    return stretches


class RowCompositor(Compositor):
    """Takes the place of a screen's compositor."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: list[Rows] | None = None
        """The rows of the partial update that is under way."""

    def render_partial_update(self) -> ChopsUpdate | None:
        self._changed = rows_of(self._dirty_regions)
        try:
            return super().render_partial_update()
        finally:
            self._changed = None

    def _get_renders(
        self, crop: Region | None = None
    ) -> Iterator[tuple[Region, Region, list[Strip]]]:
        width, height = self.size
        stretches = [(0, height)] if self._changed is None else self._changed
        for start, end in stretches:
            stretch = Region(0, start, width, end - start)
            # From the front to the back: what lies behind one of these is hidden.
            in_front: list[Region] = []
            for widget, (region, clip) in self.visible_widgets.items():
                part = region.intersection(clip).intersection(stretch)
                if part and not any(one.contains_region(part) for one in in_front):
                    in_front.append(part)
                    yield part, clip, widget.render_lines(part.translate(-region.offset))
