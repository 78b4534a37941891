"""What stands between the program and its terminal: tmux, GNU screen, or one within the other.

Both draw a terminal of their own and drop what they do not know. What is meant for the terminal
outside is handed on in an envelope, a DCS string.

Sources: tmux(1) `allow-passthrough`; screen(1) on DCS strings, and its `MAXSTR`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

Multiplexer = Literal["tmux", "screen"]

_SCREEN_CHUNK: Final = 240
"""Bytes of a DCS string in screen, whose buffer for one is small."""
_ST: Final = "\x1b\\"


def multiplexers(environment: Mapping[str, str]) -> tuple[Multiplexer, ...]:
    """Those the program runs in, the inner one first."""
    tmux, screen = bool(environment.get("TMUX")), bool(environment.get("STY"))
    if tmux and screen:
        # Whoever was started in the other has inherited its variables.
        return ("tmux", "screen") if _nearest() == "tmux" else ("screen", "tmux")
    if tmux:
        return ("tmux",)
    return ("screen",) if screen else ()


def _nearest() -> str:
    """The name of the multiplexer that this process descends from most closely."""
    import psutil

    try:
        for parent in psutil.Process().parents():
            name = parent.name().lower()
            for known in ("tmux", "screen"):
                if name.startswith(known):
                    return known
    except psutil.Error:
        pass
    return ""


def through(escape: str, passed: tuple[Multiplexer, ...]) -> str:
    """An escape sequence for the terminal outside of `passed`; empty when it cannot get there.

    It must end with BEL: the other way to end it, ST, would end screen's envelope.
    """
    for multiplexer in reversed(passed):
        if multiplexer == "tmux":
            doubled = escape.replace("\x1b", "\x1b\x1b")
            escape = f"\x1bPtmux;{doubled}{_ST}"
        elif _ST in escape:
            return ""
        else:
            escape = "".join(f"\x1bP{chunk}{_ST}" for chunk in _chunks(escape))
    return escape


def _chunks(escape: str) -> Iterator[str]:
    return (escape[at : at + _SCREEN_CHUNK] for at in range(0, len(escape), _SCREEN_CHUNK))


def takes_mouse(wish: bool | Literal["auto"], environment: Mapping[str, str]) -> bool:
    """Whether the program switches the mouse on.

    screen (4.9) that reports the mouse keeps the escape key back until the next key comes: stopping
    a reply and closing a dialog are worth more than the mouse.
    """
    return "screen" not in multiplexers(environment)[:1] if wish == "auto" else wish
