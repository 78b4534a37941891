"""The first thing on the screen, a hundredth of a second after the start.

Textual takes a while to be imported. Until then a bare outline stands there, and what a person
types already is kept for the input instead of being lost.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import termios
from types import TracebackType
from typing import Any, Final

from gemma_chat.ui.background import Background, taken_out
from gemma_chat.ui.encoding import denies_utf8
from gemma_chat.ui.terminal import WIPE

_CLEAR: Final = "\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l"
_LEAVE: Final = f"{WIPE}\x1b[?1049l\x1b[?25h"
_MOST_BYTES: Final = 64 * 1024

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def outline(columns: int, rows: int) -> str:
    """What is written: the name above, a word at the foot, in the terminal's own colours."""
    name = "gemma-chat"[: max(0, columns - 1)]
    word = "starting…"[: max(0, columns - 1)]
    return f"{_CLEAR}\x1b[2m {name}\x1b[{rows};1H {word}\x1b[0m"


def typed_text(typed: bytes) -> str:
    """The text in what was typed; keys that are not text are left out."""
    text, _ = taken_out(codecs.decode(typed, "utf-8", "ignore"))
    text = text.replace("\r", "\n")
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


class Splash:
    """Shows the outline while it is entered; an exception takes it away again."""

    def __init__(self, keyboard: int = 0, screen: int = 2, question: str = "") -> None:
        """`question` is what the terminal is asked; its answers are among what is typed."""
        self._keyboard = keyboard
        self._screen = screen
        self._question = question
        self._typed = b""
        self._attributes: list[Any] | None = None

    def __enter__(self) -> Splash:
        self._attributes = termios.tcgetattr(self._keyboard)
        quiet = termios.tcgetattr(self._keyboard)
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(self._keyboard, termios.TCSANOW, quiet)
        self._write(self._question + outline(*os.get_terminal_size(self._screen)))
        return self

    def background(self) -> Background:
        """What the terminal has answered so far."""
        return taken_out(self._answers)[1]

    @property
    def denies_utf8(self) -> bool:
        """Whether the terminal has answered so far that it does not show UTF-8."""
        return denies_utf8(self._answers)

    @property
    def _answers(self) -> str:
        self._read()
        return codecs.decode(self._typed, "utf-8", "ignore")

    def typed(self) -> str:
        """What was typed since the outline is there. The keyboard is Textual's from now on."""
        self._read()
        return typed_text(self._typed)

    def _read(self) -> None:
        while len(self._typed) < _MOST_BYTES and select.select([self._keyboard], [], [], 0)[0]:
            read = os.read(self._keyboard, 4096)
            if not read:
                break
            self._typed += read

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if error is not None:
            self._write(_LEAVE)
        if self._attributes is not None:
            # It is the shell's already when whoever started this process was killed.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keyboard, termios.TCSANOW, self._attributes)

    def _write(self, text: str) -> None:
        os.write(self._screen, text.encode())
