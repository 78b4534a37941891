"""Tables, fitted to the width of the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len

from gemma_chat.ui.markdown.lines import Line, Run, Runs, tagged, wrap_runs
from gemma_chat.ui.markdown.parser import Block

_BETWEEN = Run(" │ ", frozenset({"rule"}))
_MIN_COLUMN = 3


def table_lines(table: Block, width: int, inline: Callable[[Block], Runs]) -> Iterable[Line]:
    """The rows of a table; cells that are too long are wrapped within their column."""
    rows = [[inline(cell) for cell in row.children] for row in table.children]
    if not rows or not rows[0]:
        return
    rows[0] = [tagged(cell, "table-head") for cell in rows[0]]
    aligns = [cell.align for cell in table.children[0].children]
    widths = fitted_widths([_natural_width(column) for column in _columns(rows)], width)
    for index, row in enumerate(rows):
        yield from _row_lines(row, widths, aligns)
        if index == 0:
            line = "─┼─".join("─" * column for column in widths)
            yield Line((Run(line, frozenset({"rule"})),))


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


def _columns(rows: Sequence[Sequence[Runs]]) -> list[tuple[Runs, ...]]:
    return list(zip_longest(*rows, fillvalue=()))


def _natural_width(column: Iterable[Runs]) -> int:
    return max(sum(cell_len(run.text) for run in cell) for cell in column)


def _row_lines(row: Sequence[Runs], widths: Sequence[int], aligns: Sequence[str]) -> Iterable[Line]:
    cells = [
        [line.runs for line in wrap_runs(cell, width)]
        for cell, width in zip(row, widths, strict=False)
    ]
    for parts in zip_longest(*cells, fillvalue=()):
        runs: list[Run] = []
        for part, width, align in zip(parts, widths, aligns, strict=False):
            if runs:
                runs.append(_BETWEEN)
            runs.extend(_aligned(part, width, align))
        yield Line(tuple(runs))


def _aligned(runs: Runs, width: int, align: str) -> Runs:
    space = max(0, width - sum(cell_len(run.text) for run in runs))
    before = {"right": space, "center": space // 2}.get(align, 0)
    padded = (Run(" " * before), *runs, Run(" " * (space - before)))
    return tuple(run for run in padded if run.text)
