"""Blocks to lines.

The invariant that lets a reply be painted while it streams: what a block looks like depends on
the block, on the width, and on `Trail`, the few facts that the blocks before it leave behind.
So a finished block is never painted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gemma_chat.ui.markdown.code import code_line, code_lines
from gemma_chat.ui.markdown.inline import inline_runs
from gemma_chat.ui.markdown.lines import BLANK, Line, Run, Runs, Tag, Tags, tagged, wrap_runs
from gemma_chat.ui.markdown.parser import Block, Kind, References
from gemma_chat.ui.markdown.tables import TableLayout
from gemma_chat.ui.markdown.visible import visible_line
from gemma_chat.ui.text import one_line

MIN_WIDTH = 8
"""Nested blocks are never squeezed below this; the painter cuts what sticks out."""

_BULLETS = "•◦▪"
_NUMBER_WIDTH = 3
_TASKS = {"[ ] ": "☐", "[x] ": "☑"}
_BAR = Run("▎ ", frozenset({"bar"}))
_FENCE: Tags = frozenset({"fence"})
_LANGUAGE: Tags = frozenset({"fence", "language"})
_CODE_PADDING = Run(" ", _FENCE)
_APART: frozenset[Kind] = frozenset({"fence", "code", "table", "rule", "quote"})
"""Blocks that have a blank line around them at the top level, whatever the source says."""


@dataclass(frozen=True, slots=True)
class OpenList:
    """A top-level list whose first items have been painted; `number` is the next item's."""

    number: int | None


@dataclass(frozen=True, slots=True)
class Trail:
    """What painted blocks leave behind for the next one."""

    kind: Kind | None = None
    """The kind of the last block; None at the very start."""
    open_list: OpenList | None = None
    """Set when the next block is the rest of a list."""
    blank_before: bool = False
    """A blank line precedes the next block, which starts its text."""


class Painter:
    """Turns blocks into lines of one width."""

    def __init__(self, width: int, references: References) -> None:
        self.width = width
        self._references = references

    def top_level(self, blocks: Sequence[Block], trail: Trail) -> tuple[list[Line], Trail]:
        """The lines of top-level blocks that follow what `trail` tells of."""
        lines: list[Line] = []
        for block in blocks:
            if trail.open_list is not None and block.kind == "list":
                block = replace(block, number=trail.open_list.number)
                lines.extend(self._items(block, 0, self.width, goes_on=trail))
            else:
                if trail.kind is not None and _is_apart(trail, block):
                    lines.append(BLANK)
                lines.extend(self._block(block, self.width, depth=0))
            trail = Trail(block.kind)
        return lines, trail

    def table_layout(self, table: Block) -> TableLayout:
        """The layout of a top-level table that may get more rows."""
        return TableLayout(table.children, max(MIN_WIDTH, self.width), self._inline)

    def _sequence(self, blocks: Sequence[Block], width: int, depth: int) -> Iterable[Line]:
        for index, block in enumerate(blocks):
            if index and block.blank_before:
                yield BLANK
            yield from self._block(block, width, depth)

    def _block(self, block: Block, width: int, depth: int) -> Iterable[Line]:
        width = max(MIN_WIDTH, width)
        match block.kind:
            case "heading":
                return self._heading(block, width)
            case "list":
                return self._items(block, depth, width)
            case "quote":
                inner = self._sequence(block.children, width - len(_BAR.text), depth)
                return [_quoted(line) for line in inner]
            case "fence" | "code":
                return fence_lines(block.text, block.language, width)
            case "rule":
                return [Line((Run("─" * width, frozenset({"rule"})),))]
            case "table":
                return TableLayout(block.children, width, self._inline).lines
            case _:
                return wrap_runs(self._inline(block), width)

    def _inline(self, block: Block) -> Runs:
        return inline_runs(block.text, self._references)

    def _heading(self, block: Block, width: int) -> Iterable[Line]:
        inner = block.children[0] if block.children else block
        tag: Tag = "title" if block.level == 1 else "heading"
        return wrap_runs(tagged(self._inline(inner), tag), width)

    def _items(
        self, block: Block, depth: int, width: int, *, goes_on: Trail | None = None
    ) -> Iterable[Line]:
        number = block.number
        for index, item in enumerate(block.children):
            blank_before = goes_on.blank_before if goes_on and not index else item.blank_before
            if blank_before and (index or goes_on):
                yield BLANK
            yield from self._item(item, _marker(number, depth), depth, width)
            if number is not None:
                number += 1

    def _item(self, item: Block, marker: str, depth: int, width: int) -> Iterable[Line]:
        children, box = _without_task(item.children)
        if box:
            marker = f" {box} " if marker.strip() in _BULLETS else f"{marker}{box} "
        first = Run(marker, frozenset({"marker"}))
        rest = Run(" " * len(marker))
        lines = self._sequence(children, width - len(marker), depth + 1)
        for index, line in enumerate(list(lines) or [BLANK]):
            if index == 0:
                yield replace(line, runs=(first, *line.runs), lead=0)
            else:
                yield line.indented(rest) if line.runs or line.fill else line


def fence_lines(code: str, language: str, width: int) -> list[Line]:
    """The lines of a finished block of code."""
    lines = fence_head(language, width)
    visible = "\n".join(visible_line(line) for line in code.split("\n"))
    for runs in code_lines(visible, language):
        lines.extend(_code_rows(runs, width))
    return lines


def fence_head(language: str, width: int) -> list[Line]:
    """The line above a block of code that names its language, if it has one."""
    if not language:
        return []
    # One line in any case: what stands there may be anything and of any length.
    label = Run(f" {one_line(visible_line(language), max(MIN_WIDTH, width) - 2)}", _LANGUAGE)
    return [Line((label,), lead=len(label.text), fill=_FENCE)]


def open_fence_line(line: str, language: str, width: int) -> list[Line]:
    """The rows of one line of a block of code that is not finished."""
    return _code_rows(code_line(visible_line(line), language), width)


def _code_rows(runs: Runs, width: int) -> list[Line]:
    rows = wrap_runs(runs, max(MIN_WIDTH, width) - 2 * len(_CODE_PADDING.text))
    return [replace(row.barred(_CODE_PADDING), fill=_FENCE) for row in rows]


def _is_apart(trail: Trail, block: Block) -> bool:
    blank = block.blank_before or (block.start == 0 and trail.blank_before)
    return blank or block.kind in _APART or block.kind == "heading" or trail.kind in _APART


def _quoted(line: Line) -> Line:
    runs = tagged(line.runs, "quote")
    return replace(line, runs=runs).barred(_BAR)


def _marker(number: int | None, depth: int) -> str:
    if number is None:
        return f" {_BULLETS[min(depth, len(_BULLETS) - 1)]} "
    return f"{number}. ".rjust(_NUMBER_WIDTH + 1)


def _without_task(children: list[Block]) -> tuple[list[Block], str]:
    """An item's blocks without the box of a task, and the box."""
    if children and children[0].kind == "paragraph":
        first = children[0]
        box = _TASKS.get(first.text[:4].lower(), "")
        if box:
            return [replace(first, text=first.text[4:]), *children[1:]], box
    return children, ""
