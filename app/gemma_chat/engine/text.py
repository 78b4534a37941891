"""Text of sampled tokens that is final: never half an emoji, never past a stop string.

A token may end inside an emoji made of several characters, or inside a stop string. `TextStream`
holds back what could still change.
"""

from __future__ import annotations

from collections.abc import Sequence

_MOST_HELD = 32
"""Characters of one emoji sequence that are waited for; longer ones are broken on purpose."""


def _joins(character: str) -> bool:
    """Whether more code points may still belong to the same visible character."""
    point = ord(character)
    return point > 0x2000 and (
        point in (0x200D, 0xFE0F, 0x20E3)
        or 0x1F000 <= point <= 0x1FAFF
        or 0x2600 <= point <= 0x27BF
        or 0xE0020 <= point <= 0xE007F
    )


class TextStream:
    """Turns text as it comes into final text, up to the first stop string.

    Invariant: the texts returned so far plus what `flush` would return are the text up to the stop
    string; the stop string itself and what follows it never come out.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.stopped = False
        """A stop string has appeared."""

    def feed(self, text: str) -> str:
        """Take the text of one token; returns what is final now, often nothing."""
        if self.stopped:
            return ""
        self._held += text
        return self._release(final=False)

    def flush(self) -> str:
        """End of the reply: everything held back is final."""
        if self.stopped:
            return ""
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
