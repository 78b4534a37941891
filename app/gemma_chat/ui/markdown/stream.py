"""A markdown text that grows.

`MarkdownStream` keeps the lines of all blocks that can no longer change and parses only the text
after them, the tail: the last top-level block, or the last item of a top-level list. Open blocks
of code and tables are read line by line. So a token costs what the tail costs, however long the
text is.

`finish` gives exactly the lines of `render_markdown`. Before it, three things may look different:
links whose definition comes later or in pieces, colours inside a block of code that is open, and a
last line without a line end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemma_chat.ui.markdown.blocks import OpenList, Painter, Trail
from gemma_chat.ui.markdown.lines import BLANK, Line
from gemma_chat.ui.markdown.open_blocks import OpenBlock, open_block
from gemma_chat.ui.markdown.open_marks import with_marks_closed
from gemma_chat.ui.markdown.parser import Block, References, parse_blocks, prepared

_ONLY_MARKERS = re.compile(r"[ >]*(?:[-=*_+#|:`~ ]+|\d{1,3}[.)]?[ ]*)\Z")
"""A last line that may still become a heading's underline, a list item or the edge of code."""


def render_markdown(source: str, width: int) -> list[Line]:
    """The lines of a finished text."""
    references: References = {}
    blocks = parse_blocks(prepared(source), references)
    return Painter(width, references).top_level(blocks, Trail())[0]


class MarkdownStream:
    """The lines of a text that is being written, for one width."""

    def __init__(self, width: int) -> None:
        self.lines: list[Line] = []
        self._width = width
        self._source: list[str] = []
        self._tail = ""
        self._settled = 0
        """How many lines can no longer change."""
        self._trail = Trail()
        self._references: References = {}
        self._defines_links = False
        self._open: OpenBlock | None = None
        self._open_start = 0
        """Index of the open block's first line."""
        self._after_carriage_return = False

    def feed(self, text: str) -> int:
        """Add text. Returns the index of the first line that changed."""
        self._source.append(text)
        start = self._settled
        shown = self.lines[start:]
        del self.lines[start:]
        self._tail += prepared(self._without_split_line_end(text))
        repainted = start
        if "\n" in self._tail:
            repainted = self._settle()
        self.lines.extend(self._tail_lines(held_back=True))
        if repainted < start:
            return repainted
        return start + _common(shown, self.lines[start:])

    def finish(self) -> int:
        """The text is complete. Returns the index of the first line that changed."""
        shown = self.lines
        if self._defines_links:
            self.lines = render_markdown("".join(self._source), self._width)
        else:
            self.lines = self.lines[: self._settled]
            if self._open is not None:
                self._close(self._open)
            self.lines.extend(self._tail_lines(held_back=False))
            if self._defines_links:
                self.lines = render_markdown("".join(self._source), self._width)
        return _common(shown, self.lines)

    def _without_split_line_end(self, text: str) -> str:
        """Text without the LF whose CR came in the piece before."""
        if not text:
            return text
        if self._after_carriage_return:
            text = text.removeprefix("\n")
        self._after_carriage_return = text.endswith("\r")
        return text

    # ------------------------------------------------------------ what can no longer change

    def _settle(self) -> int:
        """Move finished blocks from the tail to the lines; the index of the first line changed."""
        first = self._settled
        while True:
            if self._open is not None:
                first = min(first, self._read_lines(self._open))
                if self._open is not None:
                    return first
            elif not self._read_blocks():
                return first

    def _read_blocks(self) -> bool:
        """Settle all but the last block of the tail. True when an open block begins."""
        complete = self._tail[: self._tail.rfind("\n") + 1]
        # Definitions count once they are settled: a longer line may still change them.
        references = dict(self._references)
        blocks = parse_blocks(complete, references)
        if not blocks:
            return False
        last = blocks[-1]
        cut = self._cut(blocks)
        if cut.line:
            painter = Painter(self._width, self._references)
            lines, trail = painter.top_level(cut.settled, self._trail)
            self._keep(lines)
            self._trail = replace(cut.trail, kind=trail.kind or self._trail.kind)
            self._tail = _after_lines(self._tail, cut.line)
            self._note_definitions(references)
            self._references = references
        return self._begin(replace(last, start=last.start - cut.line))

    def _cut(self, blocks: Sequence[Block]) -> _Cut:
        """Where the text that may still change begins."""
        *settled, last = blocks
        continues = self._trail.open_list if not settled else None
        if last.kind == "list" and len(last.children) > 1:
            *items, open_item = last.children
            number = continues.number if continues else last.number
            next_number = None if number is None else number + len(items)
            return _Cut(
                open_item.start,
                [*settled, replace(last, children=items)],
                Trail(open_list=OpenList(next_number), blank_before=open_item.blank_before),
            )
        blank = last.blank_before or (not last.start and self._trail.blank_before)
        return _Cut(last.start, settled, Trail(open_list=continues, blank_before=blank))

    def _keep(self, lines: Sequence[Line]) -> None:
        self.lines.extend(lines)
        self._settled = len(self.lines)

    def _note_definitions(self, references: References) -> None:
        self._defines_links = self._defines_links or bool(references)

    # ------------------------------------------------------------ open blocks

    def _begin(self, last: Block) -> bool:
        """Read the tail line by line from here on, if its one block allows that."""
        opened = open_block(self._tail, last, Painter(self._width, self._references))
        if opened is None:
            return False
        if self._trail.kind is not None:
            self._keep([BLANK])
        self._open, self._tail = opened
        self._open_start = self._settled
        self._keep(self._open.lines)
        return True

    def _read_lines(self, block: OpenBlock) -> int:
        """Let the open block read its complete lines. Returns the first line that changed."""
        changed = self._settled
        *lines, unfinished = self._tail.split("\n")
        read = 0
        for line in lines:
            step = block.read(line)
            if step.outcome != "past":
                read += 1
                changed = min(changed, self._take_over(block, step.first))
            if step.outcome != "goes on":
                self._open = None
                self._trail = Trail(block.kind)
                break
        self._tail = "\n".join([*lines[read:], unfinished])
        return changed

    def _close(self, block: OpenBlock) -> None:
        step = block.close(self._tail)
        if step.outcome != "past":
            self._tail = ""
            self._take_over(block, step.first)
        self._open = None
        self._trail = Trail(block.kind)

    def _take_over(self, block: OpenBlock, first: int) -> int:
        start = self._open_start + first
        del self.lines[start:]
        self._keep(block.lines[first:])
        return start

    # ------------------------------------------------------------ what may still change

    def _tail_lines(self, *, held_back: bool) -> list[Line]:
        tail = self._tail
        if held_back:
            start = tail.rfind("\n") + 1
            if _ONLY_MARKERS.match(tail, start):
                tail = tail[:start]
            elif start < len(tail) and self._open is None:
                tail = with_marks_closed(tail)
        if self._open is not None:
            return list(self._open.provisional(tail)) if tail else []
        references = dict(self._references)
        blocks = parse_blocks(tail, references)
        self._note_definitions(references)
        return Painter(self._width, references).top_level(blocks, self._trail)[0]


@dataclass(frozen=True, slots=True)
class _Cut:
    """The first `line` lines of the tail can be settled; they are the `settled` blocks."""

    line: int
    settled: Sequence[Block]
    trail: Trail


def _common(old: Sequence[Line], new: Sequence[Line]) -> int:
    """How many lines at the start are the same."""
    count = 0
    for before, after in zip(old, new, strict=False):
        if before != after:
            break
        count += 1
    return count


def _after_lines(text: str, count: int) -> str:
    position = 0
    for _ in range(count):
        position = text.index("\n", position) + 1
    return text[position:]
