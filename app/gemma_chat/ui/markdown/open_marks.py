"""Emphasis, code spans and links whose end has not been written yet.

Shown as they stand, their marks would come and go: `**bold` turns into bold text only with its last
character, and the whole line moves.
"""

from __future__ import annotations

import re

_CLOSED_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_LAST_MARKS = re.compile(r"(?P<space>^|\s)?(?P<marks>[*_~`]+)\Z")
_OPEN_ADDRESS = re.compile(r"\]\([^()\s]*\Z")
_PAIRED = ("~~", "**")


def with_marks_closed(text: str) -> str:
    """Text in whose last paragraph what is open is closed.

    Marks at the very end, which may be the first half of longer ones, are left out.
    """
    start = text.rfind("\n\n") + 1
    paragraph = _without_half_marks(text[start:])
    before_code, tick, code = _CLOSED_CODE.sub("", paragraph).partition("`")
    closing = ""
    if tick:
        closing = tick * (1 + len(code) - len(code.lstrip(tick)))
    elif _OPEN_ADDRESS.search(paragraph):
        closing = ")"
    closing += "".join(mark for mark in _PAIRED if before_code.count(mark) % 2)
    if closing:
        paragraph = paragraph.rstrip(" ")
    return text[:start] + paragraph + closing


def _without_half_marks(paragraph: str) -> str:
    match = _LAST_MARKS.search(paragraph)
    if match is None:
        return paragraph
    opens = match["space"] is not None
    if opens or paragraph.count(match["marks"][0]) % 2:
        return paragraph[: match.start("marks")]
    return paragraph
