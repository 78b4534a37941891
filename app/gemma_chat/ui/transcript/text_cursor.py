"""Selecting text with the keyboard: an end that stays and an end that moves.

Steps to the side are whole graphemes, so that no selection ends inside an emoji or between a
letter and its accent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.cells import split_graphemes

from gemma_chat.ui.transcript.rows import MessageRows
from gemma_chat.ui.transcript.selecting import Place

Direction = Literal["up", "down", "left", "right", "line_start", "line_end"]


@dataclass(frozen=True, slots=True)
class TextCursor:
    """Two places; what lies between them is selected."""

    anchor: Place
    head: Place

    @property
    def span(self) -> tuple[Place, Place]:
        """The two places in reading order."""
        return min(self.anchor, self.head), max(self.anchor, self.head)

    def extended(self, rows: MessageRows, direction: Direction) -> TextCursor:
        """The moving end one step further; at the edge of everything it stays."""
        row, column = self.head
        text, lead = _row_text(rows, row)
        column = max(lead, min(column, len(text)))
        match direction:
            case "up":
                head = (max(0, row - 1), column)
            case "down":
                head = (min(max(0, rows.total - 1), row + 1), column)
            case "line_start":
                head = (row, lead)
            case "line_end":
                head = (row, len(text))
            case "left":
                head = _left(rows, row, column, lead, text)
            case "right":
                head = _right(rows, row, column, text)
        return TextCursor(self.anchor, head)


def _left(rows: MessageRows, row: int, column: int, lead: int, text: str) -> Place:
    stops = [stop for stop in _stops(text) if lead <= stop < column]
    if stops:
        return row, stops[-1]
    return (row - 1, len(_row_text(rows, row - 1)[0])) if row else (row, lead)


def _right(rows: MessageRows, row: int, column: int, text: str) -> Place:
    stops = [stop for stop in _stops(text) if stop > column]
    if stops:
        return row, stops[0]
    if row + 1 >= rows.total:
        return row, len(text)
    return row + 1, _row_text(rows, row + 1)[1]


def _stops(text: str) -> list[int]:
    """Where graphemes begin, and the end."""
    if text.isascii():
        return list(range(len(text) + 1))
    return [*(start for start, _, _ in split_graphemes(text)[0]), len(text)]


def _row_text(rows: MessageRows, row: int) -> tuple[str, int]:
    found = rows.at(row)
    if found is None:
        return "", 0
    line = found[0].line(found[1])
    return line.text, line.lead
