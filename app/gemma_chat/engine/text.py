"""Bytes of sampled tokens to text that is final: never half a character, never past a stop string.

A token is any run of bytes: it may end inside a character, inside an emoji made of several
characters, or inside a stop string. `TextStream` holds back what could still change.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

_MOST_HELD = 32
"""Characters of one emoji sequence that are waited for; longer ones are broken on purpose."""


def _joins(character: str) -> bool:
    """Whether more code points may still belong to the same visible character."""
    point = ord(character)
    return (
        point in (0x200D, 0xFE0F, 0x20E3)
        or 0x1F000 <= point <= 0x1FAFF
        or 0x2600 <= point <= 0x27BF
        or 0xE0020 <= point <= 0xE007F
    )


class TextStream:
    """Turns token bytes into final text, up to the first stop string.

    Invariant: the texts returned so far plus what `flush` would return are the decoded bytes up
    to the stop string; the stop string itself and what follows it never come out.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(stop)
        self._held = ""
        self.stopped = False
        """A stop string has appeared."""

    def feed(self, data: bytes) -> str:
        """Take the bytes of one token; returns the text that is final now, often empty."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        return self._release(final=False)

    def flush(self) -> str:
        """End of the reply: everything held back is final; cut characters become U+FFFD."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(b"", True)
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        found = [at for at in (self._held.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self.stopped = True
            text, self._held = self._held[: min(found)], ""
            return text
        keep = 0 if final else max(self._started_stop(), self._open_cluster())
        split = len(self._held) - keep
        text, self._held = self._held[:split], self._held[split:]
        return text

    def _started_stop(self) -> int:
        """The length of the longest end of the held text with which a stop string begins."""
        longest = 0
        for stop in self._stop:
            for length in range(min(len(stop) - 1, len(self._held)), longest, -1):
                if self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest

    def _open_cluster(self) -> int:
        """How many last characters may still grow into one emoji."""
        length = 0
        while (
            length < len(self._held)
            and length <= _MOST_HELD
            and (
                _joins(self._held[-1 - length])
                or (length > 0 and self._held[-length] in "\u200d\ufe0f\u20e3")
            )
        ):
            length += 1
        return 0 if length > _MOST_HELD else length
