"""What a selection covers. A place is a row and a character in the line at that row."""

from __future__ import annotations

import re

from gemma_chat.ui.transcript.rows import MessageRows

Place = tuple[int, int]

_WORD = re.compile(r"\w[\w'’-]*|\S")


def copied_text(rows: MessageRows, start: Place, end: Place) -> str:
    """The text between two places.

    Wrapped lines are joined again; bars, padding and the cursor are left out.
    """
    pieces: list[str] = []
    for row in range(start[0], end[0] + 1):
        found = rows.at(row)
        if found is None:
            break
        line = found[0].line(found[1])
        text = line.text
        first = max(line.lead, start[1]) if row == start[0] else line.lead
        last = end[1] if row == end[0] else len(text)
        if pieces:
            pieces.append("\n" if line.glue is None else line.glue)
        pieces.append(text[first : max(first, last)].rstrip())
    return "".join(pieces)


def word_at(rows: MessageRows, place: Place) -> tuple[Place, Place] | None:
    """Where the word at a place begins and ends."""
    row, character = place
    found = rows.at(row)
    if found is None:
        return None
    for match in _WORD.finditer(found[0].line(found[1]).text):
        if match.start() <= character < match.end():
            return (row, match.start()), (row, match.end())
    return None


def message_at(rows: MessageRows, row: int) -> tuple[Place, Place] | None:
    """Where the text of the message at a row begins and ends, without its head."""
    extent = rows.extent(row)
    if extent is None:
        return None
    first, last = extent[0] + 1, extent[1] - 2
    found = rows.at(last)
    if found is None or last < first:
        return None
    return (first, 0), (last, len(found[0].line(found[1]).text))
