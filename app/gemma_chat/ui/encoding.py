"""Whether the terminal shows UTF-8, in which everything is written to it.

The locale says so. Where it does not, as often in containers and over SSH, most terminals do all
the same: then the terminal is asked. A letter of two bytes is written, and the terminal tells where
its cursor stands now (CSI 6n, as every terminal since the VT100).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# Two letters of Latin-1, one of UTF-8, and of one cell also where East Asian letters take two.
ASK: Final = "\r\u00e2\x1b[6n"
_PYTHONS_OWN: Final = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself sets LC_CTYPE to where the locale is C (PEP 538): it says nothing."""
_ANSWER = re.compile(r"\x1b\[\d+;(\d+)R")


class NoUtf8Error(Exception):
    """The terminal does not show UTF-8."""


def question_for(environment: Mapping[str, str]) -> str:
    """What to write to learn it; empty where the locale says that it is UTF-8."""
    return "" if "utf8" in locale_of(environment).lower().replace("-", "") else ASK


def locale_of(environment: Mapping[str, str]) -> str:
    """The locale of characters, by the rules of POSIX."""
    characters = environment.get("LC_CTYPE", "")
    if characters in _PYTHONS_OWN:
        characters = ""
    return environment.get("LC_ALL") or characters or environment.get("LANG") or "C"


def denies_utf8(answer: str) -> bool:
    """Whether the terminal has answered that it shows each byte by itself, or none of them."""
    found = _ANSWER.search(answer)
    return found is not None and found[1] != "2"


def refusal(environment: Mapping[str, str]) -> str:
    """The sentence for a person with such a terminal."""
    return (
        f"This terminal does not show UTF-8 (the locale is {locale_of(environment)[:40]!r}). Set "
        "LANG=C.UTF-8 before the terminal is started, in GNU screen also use `screen -U`; or use "
        "`gemma-chat --plain`, which writes in any encoding."
    )
