"""Reads what comes by the keyboard: pastes in bulk, and what the terminal answers.

Textual's parser takes a microsecond for every character of a paste, and would type the terminal's
answer about its background into the input.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

from gemma_chat.ui.background import Background, begun_answer, taken_out

_ANSWER_BEGINS = "\x1b]1"
_LONGEST_CUT = len(BRACKETED_PASTE_END) - 1


class BackgroundTold(Message):
    """The terminal has answered what its background is."""

    def __init__(self, background: Background) -> None:
        super().__init__()
        self.background = background


class BulkPasteParser(XTermParser):
    """Textual's parser, but what stands between the marks of a paste goes past it.

    A mark of the beginning that is cut by the edge of a read goes the slow way, which is right too.
    """

    _pasted: list[str] | None = None
    _held = ""
    """The beginning of an answer that was cut by the edge of a read."""

    def feed(self, data: str) -> Iterable[Message]:
        if not data:
            yield from super().feed(data)
            return
        while data:
            if self._pasted is None:
                before, mark, data = data.partition(BRACKETED_PASTE_START)
                before, self._held = self._held + before, ""
                if _ANSWER_BEGINS in before:
                    before, told = self._without_answer(before)
                    if told != "unknown":
                        yield BackgroundTold(told)
                if before:
                    yield from super().feed(before)
                if mark:
                    self._pasted = []
            else:
                data = self._take(data)
                if self._ended is not None:
                    # NUL cannot be shown, stored or sent.
                    yield events.Paste(self._ended.replace("\0", ""))
                    self._ended = None

    def _without_answer(self, keys: str) -> tuple[str, Background]:
        keys, told = taken_out(keys)
        end = begun_answer(keys)
        self._held = keys[end:]
        return keys[:end], told

    _ended: str | None = None

    def _take(self, data: str) -> str:
        """Add to the paste; what follows its end."""
        assert self._pasted is not None
        cut = self._pasted.pop() if self._pasted else ""
        text = cut + data
        pasted, mark, rest = text.partition(BRACKETED_PASTE_END)
        if mark:
            self._ended = "".join((*self._pasted, pasted))
            self._pasted = None
            return rest
        # The mark of the end may be cut in two by the edge of this read.
        keep = len(text) - _LONGEST_CUT
        if keep > 0:
            self._pasted += text[:keep], text[keep:]
        else:
            self._pasted.append(text)
        return ""


def read_pastes_in_bulk() -> None:
    """Let Textual's driver use this parser; more than once is fine."""
    from textual.drivers import linux_driver

    vars(linux_driver)["XTermParser"] = BulkPasteParser
