"""A markdown text that grows.

`MarkdownStream` keeps the lines of all blocks that can no longer change and parses only the text
after them, the tail: the last top-level block, or the last item of a top-level list. An open block
of code is read line by line. So a token costs what the tail costs, however long the text is.

`finish` gives exactly the lines of `render_markdown`. Two things may look different before it:
links whose definition comes later or in pieces, and colours inside a block of code that is open.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemma_chat.ui.markdown.blocks import (
    OpenList,
    Painter,
    Trail,
    fence_head,
    fence_lines,
    open_fence_line,
)
from gemma_chat.ui.markdown.lines import BLANK, Line
from gemma_chat.ui.markdown.parser import Block, References, language_of, parse_blocks, prepared

_ONLY_MARKERS = re.compile(r"[ >]*(?:[-=*_+#|:`~ ]+|\d{1,3}[.)]?[ ]*)\Z")
"""A last line that may still become a heading's underline, a list item or the edge of code."""

_FENCE_OPENING = re.compile(r"(?P<marks>`{3,}(?=[^`\n]*\n)|~{3,})(?P<info>[^\n]*)\n")


def render_markdown(source: str, width: int) -> list[Line]:
    """The lines of a finished text."""
    references: References = {}
    blocks = parse_blocks(prepared(source), references)
    return Painter(width, references).top_level(blocks, Trail())[0]


@dataclass(frozen=True, slots=True)
class _OpenFence:
    """A top-level block of code whose end has not come yet."""

    first_line: int
    """Index of its first painted line."""
    closing: re.Pattern[str]
    language: str
    code: list[str]
    """Its complete lines."""


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
        self._fence: _OpenFence | None = None
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
            if self._fence is not None:
                self._close_fence(self._fence, self._last_code(self._fence))
                self._tail = ""
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
        """Move finished blocks from the tail to the lines; the index of the first line painted."""
        first = self._settled
        while True:
            if self._fence is not None:
                fence = self._fence
                if not self._read_code(fence):
                    return first
                first = min(first, fence.first_line)
            elif not self._read_blocks():
                return first

    def _read_blocks(self) -> bool:
        """Settle all but the last block of the tail. True when a block of code opens."""
        complete = self._tail[: self._tail.rfind("\n") + 1]
        # Definitions count once they are settled: a longer line may still change them.
        references = dict(self._references)
        blocks = parse_blocks(complete, references)
        if not blocks:
            return False
        cut = self._cut(blocks)
        if cut.line:
            painter = Painter(self._width, self._references)
            lines, trail = painter.top_level(cut.settled, self._trail)
            self._keep(lines)
            self._trail = replace(cut.trail, kind=trail.kind or self._trail.kind)
            self._tail = _after_lines(self._tail, cut.line)
            self._note_definitions(references)
            self._references = references
        return blocks[-1].kind == "fence" and self._open_fence()

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

    # ------------------------------------------------------------ open blocks of code

    def _open_fence(self) -> bool:
        """Begin to read code line by line, if the tail is an unfinished block of code."""
        match = _FENCE_OPENING.match(self._tail)
        if match is None:
            return False
        if self._trail.kind is not None:
            self._keep([BLANK])
        marks, language = match["marks"], language_of(match["info"])
        closing = re.compile(rf" {{0,3}}{marks[0]}{{{len(marks)},}}[ \t]*")
        self._fence = _OpenFence(self._settled, closing, language, [])
        self._keep(fence_head(language))
        self._tail = self._tail[match.end() :]
        return True

    def _read_code(self, fence: _OpenFence) -> bool:
        """Settle the complete lines of the open block of code. True when it ends."""
        while "\n" in self._tail:
            line, _, self._tail = self._tail.partition("\n")
            if fence.closing.fullmatch(line):
                self._close_fence(fence, fence.code)
                return True
            fence.code.append(line)
            self._keep(open_fence_line(line, fence.language, self._width))
        return False

    def _last_code(self, fence: _OpenFence) -> list[str]:
        """The lines of a block of code that ends with the text."""
        # The parser does not count a last line of white space only.
        if not self._tail.strip(" \t") or fence.closing.fullmatch(self._tail):
            return fence.code
        return [*fence.code, self._tail]

    def _close_fence(self, fence: _OpenFence, code: Sequence[str]) -> None:
        """Colour the whole block of code: a line alone does not show that it is in a string."""
        del self.lines[fence.first_line :]
        self._keep(fence_lines("\n".join(code), fence.language, self._width))
        self._fence = None
        self._trail = Trail("fence")

    # ------------------------------------------------------------ what may still change

    def _tail_lines(self, *, held_back: bool) -> list[Line]:
        if self._fence is not None:
            if not self._tail or self._tail.lstrip(" ")[:1] in ("`", "~"):
                return []
            return open_fence_line(self._tail, self._fence.language, self._width)
        tail = self._tail
        if held_back:
            start = tail.rfind("\n") + 1
            if _ONLY_MARKERS.match(tail, start):
                tail = tail[:start]
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
