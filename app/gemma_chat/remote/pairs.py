"""Characters that a server cut in half: surrogate pairs split over two pieces of text."""

from __future__ import annotations


class PairJoiner:
    """Holds back the first half of a pair until the second one comes.

    A server that escapes its JSON per token may send `\\ud83d` in one event and `\\ude00` in the
    next. A half that stays alone becomes U+FFFD.
    """

    def __init__(self) -> None:
        self._half = ""

    def add(self, text: str) -> str:
        """`text` as far as it is whole, with what was held back before it."""
        if not text:
            return ""
        text, self._half = self._half + text, ""
        if text.isascii():
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def rest(self) -> str:
        """What is still held back, at the end."""
        half, self._half = self._half, ""
        return "\ufffd" if half else ""
