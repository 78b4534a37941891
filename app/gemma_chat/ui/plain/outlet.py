"""What is said, on its way from the event loop's thread to the one that has the terminal."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable

_PLAIN_SIGNS = str.maketrans({"“": '"', "”": '"', "’": "'", "…": "...", "—": "-", "–": "-"})


class Outlet:
    """Texts in their order. It can be waited for by `select`, and wakes whoever reads keys."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._ear, self._bell = os.pipe()
        for end in (self._ear, self._bell):
            os.set_blocking(end, False)
        self.wake: Callable[[], None] = _nobody_sleeps
        """Called in the thread of whoever has put something in."""

    def fileno(self) -> int:
        """Readable when something waits."""
        return self._ear

    def put(self, text: str) -> None:
        """Say this next."""
        self._texts.append(text)
        self.ring()

    def ring(self) -> None:
        """Let whoever waits look again."""
        # A full pipe rings already.
        with contextlib.suppress(BlockingIOError):
            os.write(self._bell, b"\0")
        self.wake()

    def take(self) -> str:
        """All that waits."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._ear, 4096):
                pass
        taken = ""
        while self._texts:
            taken += self._texts.popleft()
        return taken

    def close(self) -> None:
        """Nothing is said any more."""
        os.close(self._bell)
        os.close(self._ear)


class Page:
    """The terminal, a pipe or a file, to which text is appended in an encoding of its own."""

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._has_signs = _has_typographic_signs(encoding)

    def append(self, text: str) -> None:
        """Write all of this; raises `OSError` when nobody reads any more."""
        if not self._has_signs:
            text = text.translate(_PLAIN_SIGNS)
        left = memoryview(text.encode(self._encoding, "replace"))
        while left:
            left = left[os.write(self._descriptor, left) :]


def _has_typographic_signs(encoding: str) -> bool:
    try:
        "“…—".encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _nobody_sleeps() -> None:
    """What an outlet wakes before anybody reads keys."""
