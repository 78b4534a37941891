"""Blocks that are read line by line while they are being written.

A long block of code or a long table would be parsed again and again as the tail of a stream.
These take each line once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from gemma_chat.ui.markdown.blocks import Painter, fence_head, fence_lines, open_fence_line
from gemma_chat.ui.markdown.lines import Line
from gemma_chat.ui.markdown.parser import Block, References, language_of, parse_blocks

_FENCE_OPENING = re.compile(r"(?P<marks>`{3,}(?=[^`\n]*\n)|~{3,})(?P<info>[^\n]*)\n")


class Step(NamedTuple):
    """What a line did: `first` is the block's first line that is new or changed.

    "ends": the line was the block's last. "past": the line belongs to what comes after the block.
    """

    outcome: Literal["goes on", "ends", "past"]
    first: int


class OpenBlock(Protocol):
    """A top-level block whose end has not come yet."""

    kind: Literal["fence", "table"]
    lines: list[Line]

    def read(self, line: str) -> Step:
        """Take the next complete line of the source."""

    def provisional(self, line: str) -> Iterable[Line]:
        """What to show for a line that is not complete."""

    def close(self, line: str) -> Step:
        """The text ends here, with a line that has no line end."""


class OpenFence:
    """A block of code: lines are coloured one by one, and all together at its end."""

    kind: Literal["fence", "table"] = "fence"

    def __init__(self, marks: str, info: str, width: int) -> None:
        self.lines = fence_head(language_of(info), width)
        self._closing = re.compile(rf" {{0,3}}{marks[0]}{{{len(marks)},}}[ \t]*")
        self._language = language_of(info)
        self._width = width
        self._code: list[str] = []

    def read(self, line: str) -> Step:
        """Take the next complete line of the source."""
        if self._closing.fullmatch(line):
            # A line alone does not show that it is in a string.
            self.lines = fence_lines("\n".join(self._code), self._language, self._width)
            return Step("ends", 0)
        first = len(self.lines)
        self._code.append(line)
        self.lines.extend(open_fence_line(line, self._language, self._width))
        return Step("goes on", first)

    def provisional(self, line: str) -> Iterable[Line]:
        """What to show for a line that is not complete."""
        if line.lstrip(" ")[:1] in ("`", "~", ""):
            return ()
        return open_fence_line(line, self._language, self._width)

    def close(self, line: str) -> Step:
        """The text ends here, with a line that has no line end."""
        # The parser does not count a last line of white space only.
        if line.strip(" \t") and not self._closing.fullmatch(line):
            self._code.append(line)
        self.lines = fence_lines("\n".join(self._code), self._language, self._width)
        return Step("ends", 0)


class OpenTable:
    """A table: rows are added one by one."""

    kind: Literal["fence", "table"] = "table"

    def __init__(self, head: str, table: Block, painter: Painter) -> None:
        """`head` is the source of the first two lines, `table` what has been parsed so far."""
        self._head = head
        self._layout = painter.table_layout(table)
        self.lines = self._layout.lines

    def read(self, line: str) -> Step:
        """Take the next complete line of the source."""
        row = self._row(line)
        if row is None:
            return Step("past", len(self.lines))
        return Step("goes on", self._layout.add(row))

    def provisional(self, line: str) -> Iterable[Line]:
        """What to show for a line that is not complete."""
        row = self._row(line)
        return () if row is None else self._layout.provisional(row)

    def close(self, line: str) -> Step:
        """The text ends here, with a line that has no line end."""
        return self.read(line)

    def _row(self, line: str) -> Block | None:
        """The line as a row, if the table goes on with it: each row stands for itself."""
        references: References = {}
        blocks = parse_blocks(f"{self._head}{line}\n", references)
        is_row = len(blocks) == 1 and len(blocks[0].children) == 2 and not references
        return blocks[0].children[1] if is_row else None


def open_block(tail: str, last: Block, painter: Painter) -> tuple[OpenBlock, str] | None:
    """The open block that the tail, whose last and only block is `last`, consists of.

    Returns it with the source that it has not read yet, or None if the tail is no such block.
    """
    if last.start:
        return None
    if last.kind == "fence" and (match := _FENCE_OPENING.match(tail)):
        return OpenFence(match["marks"], match["info"], painter.width), tail[match.end() :]
    if last.kind == "table":
        end = tail.index("\n", tail.index("\n") + 1) + 1
        head = Block("table", 0, False, children=last.children[:1])
        return OpenTable(tail[:end], head, painter), tail[end:]
    return None
