"""The structure of a markdown text, as a tree of blocks.

Block structure only: what stands inside a paragraph is parsed when it is painted, so that a long
list costs little while its last item grows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from gemma_chat.ui.markdown.visible import REPLACEMENT

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

References = dict[str, Any]
"""Link definitions found so far: label to address and title."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Kind = Literal[
    "paragraph",
    "heading",
    "list",
    "item",
    "quote",
    "fence",
    "code",
    "rule",
    "table",
    "row",
    "cell",
]
_CONTAINERS: dict[str, Kind] = {
    "paragraph_open": "paragraph",
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "list_item_open": "item",
    "blockquote_open": "quote",
    "table_open": "table",
    "tr_open": "row",
    "th_open": "cell",
    "td_open": "cell",
}
_LEAVES: dict[str, Kind] = {"fence": "fence", "code_block": "code", "hr": "rule"}


@dataclass(slots=True)
class Block:
    """One block. `start` is its first line in the parsed text."""

    kind: Kind
    start: int
    blank_before: bool
    """A blank line stands above it in the source."""
    text: str = ""
    """The source of what stands inside, or the code."""
    level: int = 0
    """Of a heading, 1 to 6."""
    language: str = ""
    """Of fenced code."""
    number: int | None = None
    """Of the first item, for an ordered list."""
    align: Literal["", "left", "center", "right"] = ""
    """Of a cell."""
    children: list[Block] = field(default_factory=list)


def prepared(source: str) -> str:
    """Text as the parser takes it: line feeds only, no NUL, no half of a surrogate pair."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub(REPLACEMENT, source.replace("\0", "\N{SYMBOL FOR NULL}"))


def language_of(info: str) -> str:
    """The language in what stands behind the opening of fenced code."""
    return info.strip().split(" ")[0]


@cache
def parser() -> MarkdownIt:
    """The one parser: CommonMark with tables and strikethrough, html as text."""
    # Loaded late: the first paint does not wait for it.
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": 24})
    return markdown.enable(["table", "strikethrough"]).disable(["inline", "text_join"])


def parse_blocks(source: str, references: References) -> list[Block]:
    """The top-level blocks of a text. Link definitions in it are added to `references`."""
    tokens = parser().parse(source, {"references": references})
    return _Tree(source.split("\n")).build(tokens)


class _Tree:
    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def build(self, tokens: Sequence[Token]) -> list[Block]:
        top: list[Block] = []
        stack: list[list[Block]] = [top]
        open_blocks: list[Block] = []
        for token in tokens:
            if kind := _CONTAINERS.get(token.type):
                block = self._block(kind, token)
                stack[-1].append(block)
                stack.append(block.children)
                open_blocks.append(block)
            elif kind := _LEAVES.get(token.type):
                stack[-1].append(self._block(kind, token))
            elif token.type == "inline":
                open_blocks[-1].text = token.content
            elif token.nesting == -1 and token.type[:-5] + "open" in _CONTAINERS:
                stack.pop()
                open_blocks.pop()
        return top

    def _block(self, kind: Kind, token: Token) -> Block:
        start = token.map[0] if token.map else 0
        block = Block(kind, start, self._is_blank(start - 1))
        if kind == "heading":
            block.level = int(token.tag[1])
        elif kind == "list" and token.type == "ordered_list_open":
            block.number = int(token.attrs.get("start", 1))
        elif kind in ("fence", "code"):
            block.text = token.content.removesuffix("\n")
            block.language = language_of(token.info)
        elif kind == "cell":
            style = str(token.attrs.get("style", ""))
            for align in ("left", "center", "right"):
                if style.endswith(align):
                    block.align = align
        return block

    def _is_blank(self, line: int) -> bool:
        return line >= 0 and not self._lines[line].strip(" \t>")
