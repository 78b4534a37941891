"""Whether the terminal's own background is light: asked of the terminal, or said by its name.

OSC 11 asks for the colour (xterm's control sequences, "Operating System Commands"); the answer
comes by the keyboard, at once or, over a slow line, after the program has begun to read keys.
Terminals that do not know it answer nothing. `COLORFGBG`, which rxvt and Konsole set, stands in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal

Background = Literal["dark", "light", "unknown"]

ASK: Final = "\x1b]11;?\x1b\\"

_REPLY = re.compile(
    r"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})"
    r"(?:/[0-9a-fA-F]{1,4})?(?:\x07|\x1b\\)"
)
_BEGUN = re.compile(r"\x1b\]1(?:1(?:;[rgba]{0,4}:?[0-9a-fA-F/]{0,20}\x1b?)?)?\Z")
_CANNOT_ANSWER = ("linux", "vt", "ansi", "cons", "sun")


def question_for(environment: Mapping[str, str]) -> str:
    """What to write to learn the background; empty where it would be drawn instead of read."""
    return "" if environment.get("TERM", "").startswith(_CANNOT_ANSWER) else ASK


def taken_out(keys: str) -> tuple[str, Background]:
    """What was typed without the terminal's answer in it, and what that says."""
    found = _REPLY.search(keys)
    if found is None:
        return keys, "unknown"
    return keys[: found.start()] + keys[found.end() :], _judged(found)


def begun_answer(keys: str) -> int:
    """Where at the end of `keys` an answer begins that is cut; the length of `keys` if none."""
    found = _BEGUN.search(keys)
    return len(keys) if found is None else found.start()


def named_background(environment: Mapping[str, str]) -> Background:
    """What `COLORFGBG` says: its last number is the background among the sixteen colours."""
    last = environment.get("COLORFGBG", "").rpartition(";")[2]
    if not last.isdecimal():
        return "unknown"
    return "light" if int(last) in (7, *range(9, 16)) else "dark"


def _judged(found: re.Match[str]) -> Background:
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in found.groups())
    return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "dark"
