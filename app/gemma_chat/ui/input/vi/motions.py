"""Where vi's motions go. All places are offsets into the text; nothing here changes anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Reach = Literal["exclusive", "inclusive", "lines"]
"""What an operator takes: up to the target, with the target, or the whole lines between."""

_WORDS = {False: re.compile(r"\w+|[^\w\s]+|(?<=\n)(?=\n)"), True: re.compile(r"\S+|(?<=\n)(?=\n)")}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a motion ends, and how much of it an operator takes."""

    at: int
    reach: Reach = "exclusive"


def line_start(text: str, at: int) -> int:
    """The first character of the line."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Behind the last character of the line."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def last_in_line(text: str, at: int) -> int:
    """The last character of the line, where the cursor of normal mode stops."""
    return max(line_start(text, at), line_end(text, at) - 1)


def first_word_in_line(text: str, at: int) -> int:
    """The first character of the line that is not blank."""
    start, end = line_start(text, at), line_end(text, at)
    return start + len(text[start:end]) - len(text[start:end].lstrip())


def vertical(text: str, at: int, lines: int, column: int) -> int:
    """The same column so many lines below (above, when negative), or the nearest there is."""
    start = line_start(text, at)
    for _ in range(abs(lines)):
        if lines > 0:
            end = line_end(text, start)
            if end == len(text):
                break
            start = end + 1
        elif start:
            start = line_start(text, start - 1)
    return min(start + column, last_in_line(text, start))


def word_forward(text: str, at: int, *, big: bool) -> int:
    """The beginning of the next word."""
    for found in _WORDS[big].finditer(text):
        if found.start() > at:
            return found.start()
    return len(text)


def word_back(text: str, at: int, *, big: bool) -> int:
    """The beginning of this word, or of the one before."""
    before = 0
    for found in _WORDS[big].finditer(text):
        if found.start() >= at:
            break
        before = found.start()
    return before


def word_end(text: str, at: int, *, big: bool) -> int:
    """The last character of this word, or of the next one."""
    for found in _WORDS[big].finditer(text):
        if found.end() - 1 > at:
            return found.end() - 1
    return max(0, len(text) - 1)


def matching_bracket(text: str, at: int) -> int | None:
    """The bracket that belongs to the one under the cursor, or the next one in the line."""
    for place in range(at, line_end(text, at)):
        if text[place] in "()[]{}":
            return _partner(text, place)
    return None


def _partner(text: str, at: int) -> int | None:
    opening = text[at] in "([{"
    pairs = dict(zip("([{)]}", ")]}([{", strict=True))
    same, other = text[at], pairs[text[at]]
    depth = 0
    places = range(at, len(text)) if opening else range(at, -1, -1)
    for place in places:
        if text[place] == same:
            depth += 1
        elif text[place] == other:
            depth -= 1
            if not depth:
                return place
    return None


def find(text: str, at: int, key: str, character: str, count: int) -> int | None:
    """`f`, `F`, `t` and `T`: the character in the same line, `count` times."""
    forward = key in "ft"
    start, end = line_start(text, at), line_end(text, at)
    place = at
    for _ in range(count):
        if forward:
            place = text.find(character, place + 1, end)
        else:
            place = text.rfind(character, start, place)
        if place < 0:
            return None
    return place + {"t": -1, "T": 1}.get(key, 0)


def paragraph(text: str, at: int, *, forward: bool) -> int:
    """The next blank line, or the one before."""
    if forward:
        found = re.compile(r"\n(?=\n)").search(text, min(at + 1, len(text)))
        return found.end() if found else len(text)
    ends = (found.end() for found in re.finditer(r"\n(?=\n)", text[: at + 1]))
    return max((end for end in ends if end < at), default=0)


Simple = Callable[[str, int, int], Target]
"""Text, place and count."""


def _repeated(step: Callable[[str, int], int], reach: Reach = "exclusive") -> Simple:
    def motion(text: str, at: int, count: int) -> Target:
        for _ in range(count):
            at = step(text, at)
        return Target(at, reach)

    return motion


SIMPLE: dict[str, Simple] = {
    "h": lambda text, at, count: Target(max(line_start(text, at), at - count)),
    "l": lambda text, at, count: Target(min(line_end(text, at), at + count)),
    "0": lambda text, at, count: Target(line_start(text, at)),
    "^": lambda text, at, count: Target(first_word_in_line(text, at)),
    "$": lambda text, at, count: Target(
        last_in_line(text, vertical(text, at, count - 1, 0)), "inclusive"
    ),
    "w": _repeated(lambda text, at: word_forward(text, at, big=False)),
    "W": _repeated(lambda text, at: word_forward(text, at, big=True)),
    "b": _repeated(lambda text, at: word_back(text, at, big=False)),
    "B": _repeated(lambda text, at: word_back(text, at, big=True)),
    "e": _repeated(lambda text, at: word_end(text, at, big=False), "inclusive"),
    "E": _repeated(lambda text, at: word_end(text, at, big=True), "inclusive"),
    "}": _repeated(lambda text, at: paragraph(text, at, forward=True)),
    "{": _repeated(lambda text, at: paragraph(text, at, forward=False)),
}
"""The motions of one key that need nothing but text, place and count."""
