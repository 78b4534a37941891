"""Tables, fitted to the width of the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len

from gemma_chat.ui.markdown.lines import Line, Run, Runs, Tags, tagged, wrap_runs
from gemma_chat.ui.markdown.parser import Block

_RULE: Tags = frozenset({"rule"})
_BETWEEN = Run(" │ ", _RULE)
_MIN_COLUMN = 3

Row = Sequence[Runs]


class TableLayout:
    """The lines of a table that may get more rows.

    A row that leaves the columns as they are costs only itself.
    """

    def __init__(self, rows: Sequence[Block], width: int, inline: Callable[[Block], Runs]) -> None:
        """The first of `rows` is the head; `inline` gives the content of a cell."""
        self.lines: list[Line] = []
        self._width = width
        self._inline = inline
        self._aligns = [cell.align for cell in rows[0].children]
        head, *body = ([inline(cell) for cell in row.children] for row in rows)
        self._rows: list[Row] = [[tagged(cell, "table-head") for cell in head], *body]
        columns = zip_longest(*self._rows, fillvalue=())
        self._natural = [max(map(_cells, column)) for column in columns][: len(head)]
        self._widths = fitted_widths(self._natural, width)
        self._lay_out()

    def add(self, row: Block) -> int:
        """Add a row. Returns the index of the first line that is new or changed."""
        cells = [self._inline(cell) for cell in row.children]
        self._rows.append(cells)
        self._natural = [
            max(known, _cells(cell)) for known, cell in zip(self._natural, cells, strict=False)
        ]
        widths = fitted_widths(self._natural, self._width)
        first = len(self.lines)
        if widths == self._widths:
            self.lines.extend(self.row_lines(cells))
            return first
        self._widths = widths
        self._lay_out()
        return 0

    def provisional(self, row: Block) -> Iterable[Line]:
        """The lines of a row that is still being written, in the columns as they are."""
        return self.row_lines([self._inline(cell) for cell in row.children])

    def row_lines(self, row: Row) -> Iterable[Line]:
        """One row, its cells wrapped within their columns."""
        columns = zip(row, self._widths, strict=False)
        cells = [[line.runs for line in wrap_runs(cell, width)] for cell, width in columns]
        for parts in zip_longest(*cells, fillvalue=()):
            runs: list[Run] = []
            for part, width, align in zip(parts, self._widths, self._aligns, strict=False):
                if runs:
                    runs.append(_BETWEEN)
                runs.extend(_aligned(part, width, align))
            yield Line(tuple(runs))

    def _lay_out(self) -> None:
        self.lines.clear()
        for index, row in enumerate(self._rows):
            self.lines.extend(self.row_lines(row))
            if index == 0:
                line = "─┼─".join("─" * column for column in self._widths)
                self.lines.append(Line((Run(line, _RULE),)))


def fitted_widths(natural: Sequence[int], width: int) -> list[int]:
    """Column widths whose sum, with the lines between, is at most `width` where that is possible.

    Columns that fit into an even share keep their natural width; the others share the rest.
    """
    available = width - len(_BETWEEN.text) * (len(natural) - 1)
    widths = [max(_MIN_COLUMN, column) for column in natural]
    if sum(widths) <= available:
        return widths
    order = sorted(range(len(widths)), key=widths.__getitem__)
    for place, column in enumerate(order):
        share = max(_MIN_COLUMN, available // (len(order) - place))
        widths[column] = min(widths[column], share)
        available -= widths[column]
    return widths


def _cells(runs: Runs) -> int:
    """The width of a cell on one line; a hard break does not count."""
    return sum(cell_len(run.text) for run in runs)


def _aligned(runs: Runs, width: int, align: str) -> Runs:
    space = max(0, width - _cells(runs))
    before = {"right": space, "center": space // 2}.get(align, 0)
    padded = (Run(" " * before), *runs, Run(" " * (space - before)))
    return tuple(run for run in padded if run.text)
