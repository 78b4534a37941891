"""Emphasis and code spans whose end has not been written yet.

Shown as they stand, their marks would come and go: `**bold` turns into bold text only with its last
character, and the whole line moves.
"""

from __future__ import annotations

import re

_CLOSED_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_LAST_MARKS = re.compile(r"[*_~`]+\Z")


def with_marks_closed(text: str) -> str:
    """Text in whose last paragraph open code spans and strong emphasis are closed.

    Marks at the very end, which may be the first half of longer ones, are left out.
    """
    start = text.rfind("\n\n") + 1
    paragraph = _LAST_MARKS.sub("", text[start:])
    if paragraph == text[start:] and not any(mark in paragraph for mark in ("`", "**", "~~")):
        return text
    without_code = _CLOSED_CODE.sub("", paragraph)
    head, mark, code = without_code.partition("`")
    closing = ""
    if mark:
        marks = len(code) - len(code.lstrip("`")) + 1
        closing = "`" * marks if code.strip("`") else ""
        if not closing:
            paragraph = paragraph.rstrip("`")
    for mark in ("~~", "**"):
        if head.count(mark) % 2:
            paragraph, closing = _closed(paragraph, closing, mark)
    return text[:start] + (paragraph.rstrip(" ") + closing if closing else paragraph)


def _closed(paragraph: str, closing: str, mark: str) -> tuple[str, str]:
    """The paragraph with an open mark closed, or without it if nothing follows it yet."""
    if not closing and paragraph.rstrip(" ").endswith(mark):
        return paragraph.rstrip(" ").removesuffix(mark), closing
    return paragraph, closing + mark
