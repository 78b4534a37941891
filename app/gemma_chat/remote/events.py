"""Server-sent events: from the bytes of a stream to the text of each event.

The format is that of the HTML standard (section "Server-sent events"): lines end in LF, CR or CRLF,
an empty line ends an event, its `data:` lines are joined, and what else there is, comments among
them, is left out. An event that is cut off by the end of the stream is dropped with whatever half
character it ends in.
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_EVENT_BYTES = 4 * 1024 * 1024

_FIELD = b"data"
_MARK = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """An event, or a line that never ends, has more than `MAX_EVENT_BYTES`."""


class EventReader:
    """Takes a stream in pieces of any size, and gives the events that are whole."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        """The line that has not ended."""
        self._data: list[bytes] = []
        """The data lines of the event that has not ended."""
        self._bytes = 0
        self._after_return = False
        self._begins = True

    def feed(self, received: bytes) -> Iterator[str]:
        """The events that end in `received`, to be taken all.

        Raises `EventTooLargeError` behind those that came before it.
        """
        if self._after_return and received.startswith(b"\n"):
            received = received[1:]
        if received:
            self._after_return = received.endswith(b"\r")
        *ended, rest = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for end in ended:
            self._grow(end)
            line = b"".join(self._line)
            self._line.clear()
            if event := self._take(line):
                yield event.decode("utf-8", "replace")
        self._grow(rest)

    def _grow(self, part: bytes) -> None:
        self._bytes += len(part)
        if self._bytes > MAX_EVENT_BYTES:
            raise EventTooLargeError(f"more than {MAX_EVENT_BYTES} bytes without an end")
        if part:
            self._line.append(part)

    def _take(self, line: bytes) -> bytes:
        """A line has ended; returns the event that ends with it, or nothing."""
        if self._begins:
            self._begins = False
            line = line.removeprefix(_MARK)
        if not line:
            event = b"\n".join(self._data)
            self._data.clear()
            self._bytes = 0
            return event
        field, _, value = line.partition(b":")
        if field == _FIELD:
            self._data.append(value.removeprefix(b" "))
        else:
            self._bytes -= len(line)
        return b""
