"""How far a download is, on stderr: one line that moves on a terminal, tenths elsewhere."""

from __future__ import annotations

import sys
import time

from gemma_chat.cli.output import one_line
from gemma_chat.quantities import byte_size

_DRAW_SECONDS = 0.2
_BACK_TO_BEGIN = "\r\033[K"


class DownloadProgress:
    """Use it as a context, so that the line is ended."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._name = ""
        self._started = 0.0
        self._at_start = 0
        self._drawn = 0.0
        self._tenths = -1

    def __enter__(self) -> DownloadProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on_terminal and self._name:
            sys.stderr.write("\n")

    def show(self, name: str, done: int, total: int) -> None:
        """`done` of the `total` bytes of file `name` are there."""
        now = time.monotonic()
        if name != self._name:
            self._name, self._started, self._at_start = name, now, done
            self._tenths = -1
            self._drawn = 0.0
        whole = bool(total) and done >= total
        if self._on_terminal and (whole or now - self._drawn > _DRAW_SECONDS):
            self._drawn = now
            sys.stderr.write(_BACK_TO_BEGIN + self._line(done, total, now)[:100])
            sys.stderr.flush()
        elif not self._on_terminal and total and 10 * done // total > self._tenths:
            self._tenths = 10 * done // total
            sys.stderr.write(self._line(done, total, now) + "\n")

    def _line(self, done: int, total: int, now: float) -> str:
        speed = (done - self._at_start) / max(0.001, now - self._started)
        share = f"{done / total:4.0%} of {byte_size(total)}" if total else byte_size(done)
        left = ""
        if total and speed > 0 and done < total:
            minutes, seconds = divmod(int((total - done) / speed), 60)
            left = f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"
        return f"{one_line(self._name)}  {share}, {byte_size(speed)}/s{left}"
