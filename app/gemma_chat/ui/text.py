"""Text from elsewhere (titles, file names, errors, models) made safe for one line of the screen.

Nothing of it may reach the terminal as an escape sequence, turn the line's direction around, or
take more cells than it was given.
"""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

ELLIPSIS = "…"

HEADING_CELLS: Final = 30
"""Of a name in the title of a dialog."""
NAME_CELLS: Final = 40
"""Of a name or title among other words on a line."""
NOTICE_CELLS: Final = 60
"""Of a name that a notice or a field is about."""
LINE_CELLS: Final = 80
"""Of what has a line to itself."""
SENTENCE_CELLS: Final = 300
"""Of an explanation or a reason, which is wrapped."""
PATH_CELLS: Final = 400
"""Of a path or a repository, which is wrapped."""
ERROR_CELLS: Final = 600
"""Of an error that a whole page is about."""

_CODE_POINTS_PER_CELL = 4
"""Combining marks take no cell; without a limit ten thousand of them would fit into any width."""

_BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = "\u00ad\u200b\u2028\u2029\u2060\ufeff\ufff9\ufffa\ufffb"


def _visible() -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20)}
    table[0x7F] = "␡"
    table |= dict.fromkeys(range(128, 160), "�")
    table |= {ord(character): "·" for character in _BIDIRECTIONAL}
    table |= {ord(character): "" for character in _INVISIBLE}
    table |= dict.fromkeys(range(55296, 57344), "�")
    table |= {ord(character): " " for character in "\t\n\v\f\r\u0085"}
    return table


_VISIBLE = _visible()


def one_line(text: str, cells: int) -> str:
    """`text` on one line of at most `cells` cells; what is cut off is marked by an ellipsis.

    Control characters become visible signs, line ends become spaces.
    """
    if cells <= 0:
        return ""
    limit = cells * _CODE_POINTS_PER_CELL
    line = text[: limit + 1].translate(_VISIBLE)
    if len(text) <= limit and cell_len(line) <= cells:
        return line
    return _cut(line[:limit], cells - 1) + ELLIPSIS


def shown(text: str, characters: int) -> str:
    """`text` over several lines, of at most `characters` characters; control characters visible."""
    lines = text[: characters + 1].split("\n")
    safe = "\n".join(line.translate(_VISIBLE) for line in lines)
    return safe if len(text) <= characters else safe[:characters] + ELLIPSIS


def padded(text: str, cells: int) -> str:
    """`text` as by `one_line`, filled with spaces to exactly `cells` cells."""
    line = one_line(text, cells)
    return line + " " * (cells - cell_len(line))


def _cut(line: str, cells: int) -> str:
    width = 0
    for index, character in enumerate(line):
        width += cell_len(character)
        if width > cells:
            return line[:index]
    return line


def count(number: int) -> str:
    """A number of tokens in few cells: `812`, `1.2k`, `32k`, `1.1M`."""
    if number < 1_000:
        return str(number)
    if number < 9_950:
        return f"{number / 1_000:.1f}k"
    if number < 999_500:
        return f"{number / 1_000:.0f}k"
    return f"{number / 1_000_000:.1f}M"


def age(seconds: float) -> str:
    """How long ago, in words: `just now`, `3 min ago`, `2 h ago`, `5 days ago`."""
    if seconds < 60:
        return "just now"
    if seconds < 3_600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 2 * 86_400:
        return f"{seconds // 3_600:.0f} h ago"
    return f"{seconds // 86_400:.0f} days ago"
