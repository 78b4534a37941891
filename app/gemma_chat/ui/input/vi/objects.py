"""vi's text objects: the inside of a word, of quotes, of brackets, and the same with its edges."""

from __future__ import annotations

import re

from gemma_chat.ui.input.vi.motions import line_end, line_start

_BRACKETS = {
    **dict.fromkeys("()b", "()"),
    **dict.fromkeys("[]", "[]"),
    **dict.fromkeys("{}B", "{}"),
    **dict.fromkeys("<>", "<>"),
}


def text_object(text: str, at: int, kind: str, name: str) -> tuple[int, int] | None:
    """The start and end of an object, or `None`. `kind` is `i` or `a`: inside, around."""
    around = kind == "a"
    if name in "wW":
        return _word(text, at, around=around, big=name == "W")
    if name in "\"'`":
        return _quoted(text, at, name, around=around)
    if name in _BRACKETS:
        return _bracketed(text, at, _BRACKETS[name], around=around)
    if name == "p":
        return _paragraph(text, at, around=around)
    return None


def _word(text: str, at: int, *, around: bool, big: bool) -> tuple[int, int] | None:
    pattern = r"\S+|[^\S\n]+" if big else r"\w+|[^\w\s]+|[^\S\n]+"
    for found in re.finditer(pattern, text):
        if found.start() <= at < found.end():
            start, end = found.span()
            break
    else:
        return None
    if around and not text[start:end].isspace():
        blank = re.compile(r"[^\S\n]+").match(text, end)
        if blank:
            end = blank.end()
        else:
            line = line_start(text, start)
            start = line + len(text[line:start].rstrip())
    return start, end


def _quoted(text: str, at: int, quote: str, *, around: bool) -> tuple[int, int] | None:
    start, end = line_start(text, at), line_end(text, at)
    places = [place for place in range(start, end) if text[place] == quote]
    for opening, closing in zip(places[::2], places[1::2], strict=False):
        if at <= closing:
            return (opening, closing + 1) if around else (opening + 1, closing)
    return None


def _bracketed(text: str, at: int, pair: str, *, around: bool) -> tuple[int, int] | None:
    opening, closing = pair[0], pair[1]
    depth = 0
    start = -1
    for place in range(min(at, len(text) - 1), -1, -1):
        if text[place] == closing and place != at:
            depth += 1
        elif text[place] == opening:
            if not depth:
                start = place
                break
            depth -= 1
    if start < 0:
        return None
    depth = 0
    for place in range(start, len(text)):
        depth += {opening: 1, closing: -1}.get(text[place], 0)
        if not depth:
            return (start, place + 1) if around else (start + 1, place)
    return None


def _paragraph(text: str, at: int, *, around: bool) -> tuple[int, int] | None:
    before = text.rfind("\n\n", 0, at)
    start = before + 2 if before >= 0 else 0
    after = text.find("\n\n", at)
    end = after + 1 if after >= 0 else len(text)
    if around and after >= 0:
        end = after + 2
    return (start, end) if start < end else None
