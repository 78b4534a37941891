"""What is said, in the order in which it is said: sentences, and replies that grow.

A reply is written in whole words, sentences or lines, never in half ones: a screen reader speaks
what is there. What else is to be said meanwhile waits for the end of the reply's line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from gemma_chat.config.schema import PlainPieces

INDENT: Final = "  "
"""Before every line of a reply but its first."""
MOST_HELD: Final = 400
"""Characters without an end of a word or sentence that are held back; lines may be longer."""

_ENDS: Final[dict[PlainPieces, re.Pattern[str]]] = {
    # East Asian scripts have no spaces between words: each of their letters may end one.
    "words": re.compile(r"[\s\u3001-\u30ff\u3400-\u9fff\uff00-\uffef]"),
    "sentences": re.compile(r"(?<=[.!?:;…])[\"'”’)\]]*\s|[\u3002\uff01\uff1f]|\n"),
    "lines": re.compile(r"\n"),
}


class Speech:
    """Says things through `write`, which is only ever given text to append."""

    def __init__(self, write: Callable[[str], None], pieces: PlainPieces = "words") -> None:
        self._write = write
        self._pieces: PlainPieces = pieces
        self._held = ""
        self._open = False
        """A reply is being said."""
        self._at_edge = True
        """Nothing stands on the line yet."""
        self._is_blank = True
        """Of the open reply nothing was said yet but who speaks."""
        self._waiting: list[str] = []

    def say(self, text: str) -> None:
        """Say this on lines of its own, as soon as no line of a reply is begun."""
        self._waiting.append(_safe(text))
        if self._at_edge:
            self._say_waiting()

    def say_whole(self, who: str, text: str) -> None:
        """Say a whole message."""
        self.begin(who)
        self.more(text)
        self.end()

    def begin(self, who: str) -> None:
        """A reply begins."""
        self.end()
        self._write(f"{who}: ")
        self._open, self._at_edge, self._is_blank = True, False, True

    def more(self, text: str) -> None:
        """The open reply goes on; a word that is not at its end yet is held back."""
        if self._is_blank:
            text = text.lstrip() if not self._held else text
        self._held += text
        ready = _ready(self._held, self._pieces)
        self._put(self._held[:ready])
        self._held = self._held[ready:]

    def aside(self, text: str) -> None:
        """Say this in the middle of the open reply, on a line of its own."""
        self._end_line()
        self.say(text)

    def end(self) -> None:
        """The open reply is over."""
        if self._open:
            self._end_line()
            self._open = False
        self._say_waiting()

    def _end_line(self) -> None:
        self._put(self._held)
        self._held = ""
        if not self._at_edge:
            self._write("\n")
            self._at_edge = True

    def _put(self, text: str) -> None:
        if not text:
            return
        said = ""
        for number, line in enumerate(_safe(text).split("\n")):
            if number:
                said += "\n"
                self._at_edge = True
            if line:
                said += f"{INDENT}{line}" if self._at_edge else line
                self._at_edge = False
        self._is_blank = False
        self._write(said)
        if self._at_edge:
            self._say_waiting()

    def _say_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for text in waiting:
            self._write(f"{text}\n")


def _ready(held: str, pieces: PlainPieces) -> int:
    """How many characters can be said: up to the last end of a word, sentence or line."""
    last = 0
    for match in _ENDS[pieces].finditer(held):
        last = match.end()
    if pieces != "lines" and len(held) - last > MOST_HELD:
        return len(held)
    return last


def _safe(text: str) -> str:
    # Reads Markdown along with it: not needed before something is said.
    from gemma_chat.ui.markdown.visible import visible_text

    return visible_text(text)
