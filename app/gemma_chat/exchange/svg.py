"""A conversation as a picture: SVG with nothing but text and rectangles, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from rich.cells import cell_len, chop_cells

from gemma_chat.errors import ExchangeError
from gemma_chat.exchange.transcript import ENDINGS, Line, Transcript, introduced, notes

COLUMNS: Final = 84
MAX_ROWS: Final = 20_000
"""A taller picture is opened by nothing."""

_CELL: Final = 8.4
_ROW: Final = 20
_MARGIN: Final = 24
_STYLE: Final = (
    ".paper{fill:#fbfaf7}.ink{fill:#24231f}.faint{fill:#75726a}.user{fill:#eef1f8}"
    "@media(prefers-color-scheme:dark){.paper{fill:#191a1d}.ink{fill:#dddcd6}"
    ".faint{fill:#96938b}.user{fill:#23283a}}"
    "text{font:14px ui-monospace,Menlo,Consolas,monospace;white-space:pre}.title{font-weight:bold}"
)

_Row = tuple[str, str]
"""The class of a row and its text; `user` rows stand on a ground of their own."""


def write_svg(transcript: Transcript) -> str:
    """The conversation as a picture; raises `ExchangeError` when it is too long for one."""
    rows = list(_rows(transcript))
    width = round(2 * _MARGIN + COLUMNS * _CELL)
    height = 2 * _MARGIN + _ROW * len(rows)
    grounds = [
        f'<rect class="user" x="{_MARGIN - 10}" y="{_MARGIN + at * _ROW}" '
        f'width="{width - 2 * _MARGIN + 20}" height="{_ROW}"/>'
        for at, (kind, _) in enumerate(rows)
        if kind == "user"
    ]
    texts = [
        f'<text class="{"ink" if kind == "user" else kind}" x="{_MARGIN}" '
        f'y="{_MARGIN + at * _ROW + 15}">{escape(text)}</text>'
        for at, (kind, text) in enumerate(rows)
        if text
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *grounds,
            *texts,
            "</svg>\n",
        )
    )


def _rows(transcript: Transcript) -> Iterator[_Row]:
    for count, row in enumerate(_all_rows(transcript)):
        if count == MAX_ROWS:
            raise ExchangeError(
                f"The conversation has more than {MAX_ROWS:,} lines, too many for a picture. "
                "Export it as HTML."
            )
        yield row


def _all_rows(transcript: Transcript) -> Iterator[_Row]:
    for text in _wrapped(transcript.title or "Conversation"):
        yield "ink title", text
    for line, speaker in introduced(transcript.shown):
        yield "faint", ""
        for text in _wrapped(_head(line, speaker)):
            yield "faint", text
        for note in notes(line):
            for text in _wrapped(note):
                yield "faint", text
        for text in _wrapped(line.text) if line.text.strip() else ():
            yield "user" if line.role == "user" else "ink", text


def _head(line: Line, speaker: str) -> str:
    ending = ENDINGS.get(line.ending)
    return speaker + (f" · {ending}" if ending else "")


def _wrapped(text: str) -> Iterator[str]:
    """The lines of `text`, broken between words where they are too long."""
    for line in text.strip("\n").expandtabs(4).split("\n"):
        rest = _visible(line)
        while cell_len(rest) > COLUMNS:
            piece = chop_cells(rest, COLUMNS)[0]
            space = piece.rfind(" ")
            if space > COLUMNS // 2:
                piece = piece[: space + 1]
            yield piece.rstrip()
            rest = rest[len(piece) :]
        yield rest


def _visible(text: str) -> str:
    return "".join(
        letter
        if letter.isprintable() and not "\ud800" <= letter <= "\udfff"
        else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
