"""Search in a conversation: which places match, which of them is the current one.

What is searched is what a reader sees, wrapped lines joined. Messages that nobody has looked at
are read for it in short slices, the newest first, so that a search in ten thousand messages never
holds up the screen; the count grows meanwhile.

A search without capital letters takes any case, one with a capital letter takes its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

from gemma_chat.ui.transcript.entry import Entry
from gemma_chat.ui.transcript.rows import MessageRows

SLICE_SECONDS = 0.008
"""How long one slice of reading may take."""
MOST_MATCHES = 10_000
"""In one message; more are of no use to anybody."""


class Match(NamedTuple):
    """One place: the message, and which of its matches, from 0."""

    message: int
    number: int


class Span(NamedTuple):
    """A stretch of a row that belongs to match `number` of its message; ends are characters."""

    start: int
    end: int
    number: int


@dataclass(slots=True)
class _Read:
    """What was found in a message as it was at one version, for one width."""

    version: int
    length: int
    count: int
    spans: dict[int, list[Span]] = field(default_factory=dict)
    """By row within the message; filled when it is looked at."""
    has_spans: bool = False


def pattern_of(wanted: str) -> re.Pattern[str] | None:
    """What matches; `None` when nothing is searched. White space matches any white space."""
    words = wanted.split()
    if not words:
        return None
    flags = 0 if any(letter.isupper() for letter in wanted) else re.IGNORECASE
    return re.compile(r"\s+".join(map(re.escape, words)), flags)


def hints_of(wanted: str) -> tuple[str, ...]:
    """What a message that matches must have in its source: cheaper to look for than to render it.

    Letters and digits only, for markup may stand in the middle of a word; and no bare numbers,
    for those of a list are counted anew.
    """
    chunks = re.findall(r"[^\W_]+", wanted.casefold())
    return tuple(chunk for chunk in chunks if not chunk.isdigit())


_NO_LETTER = re.compile(r"[\W_]+")


def may_match(hints: tuple[str, ...], source: str) -> bool:
    """Whether a message with this source can match at all."""
    if "&" in source:
        # An entity is written in other letters than it is read.
        return True
    letters = _NO_LETTER.sub("", source.casefold())
    return all(hint in letters for hint in hints)


class Finder:
    """One search in one conversation."""

    def __init__(self, rows: MessageRows, width: int, wanted: str) -> None:
        self._rows = rows
        self.width = width
        self.wanted = wanted
        self._pattern = pattern_of(wanted)
        self._hints = hints_of(wanted)
        self._read: dict[int, _Read] = {}
        self.current: Match | None = None

    def at_width(self, width: int) -> Finder:
        """The same search where lines are wrapped to another width."""
        other = Finder(self._rows, width, self.wanted)
        other.current = self.current
        return other

    # ------------------------------------------------------------ reading

    def read_on(self) -> bool:
        """Read more messages, for one slice. Returns whether any are left."""
        if self._pattern is None:
            return False
        until = perf_counter() + SLICE_SECONDS
        for entry in reversed(self._rows.entries):
            if self._is_known(entry):
                continue
            self._take(entry)
            if perf_counter() > until:
                return True
        return False

    def refresh(self, message: int) -> None:
        """A message has changed."""
        self._read.pop(message, None)
        if self.current is not None and self.current.message == message:
            entry = self._rows.entry(message)
            if entry is None or self.current.number >= self._take(entry).count:
                self.current = None

    @property
    def count(self) -> int:
        """How many matches are known."""
        return sum(read.count for read in self._present())

    @property
    def place(self) -> int:
        """Which of them is the current one, from 1; 0 when none is."""
        if self.current is None:
            return 0
        before = 0
        for entry in self._rows.entries:
            if entry.number >= self.current.message:
                break
            read = self._read.get(entry.number)
            before += read.count if read is not None else 0
        return before + self.current.number + 1

    def _present(self) -> Iterator[_Read]:
        for entry in self._rows.entries:
            read = self._read.get(entry.number)
            if read is not None:
                yield read

    def _is_known(self, entry: Entry) -> bool:
        read = self._read.get(entry.number)
        # While a reply streams its rows change with every word: its length tells more.
        return read is not None and read.length == entry.length

    def _take(self, entry: Entry) -> _Read:
        read = self._read.get(entry.number)
        if read is None or read.length != entry.length:
            count = self._count_in(entry) if may_match(self._hints, entry.text) else 0
            read = self._read[entry.number] = _Read(entry.version, entry.length, count)
        return read

    def _count_in(self, entry: Entry) -> int:
        assert self._pattern is not None
        was_painted = entry.is_painted
        entry.measure(self.width)
        text, _ = _joined(entry)
        count = 0
        for count, _match in enumerate(self._pattern.finditer(text), 1):
            if count >= MOST_MATCHES:
                break
        if not was_painted:
            self._rows.let_go(entry)
        return count

    # ------------------------------------------------------------ going on

    def step(self, direction: int, near: int) -> Match | None:
        """The next match down (1) or up (-1), around the end; `near` is the message to begin at."""
        if self._pattern is None:
            return None
        if self.current is not None:
            number = self.current.number + direction
            entry = self._rows.entry(self.current.message)
            if entry is not None and 0 <= number < self._take(entry).count:
                self.current = Match(entry.number, number)
                return self.current
        for entry in self._around(direction, near):
            count = self._take(entry).count
            if count:
                self.current = Match(entry.number, 0 if direction > 0 else count - 1)
                return self.current
        self.current = None
        return None

    def _around(self, direction: int, near: int) -> Iterator[Entry]:
        """All messages from the current match, or from `near`, once around."""
        entries = list(self._rows.entries)
        if direction < 0:
            entries.reverse()
        start = self.current.message if self.current is not None else near
        at = next((i for i, one in enumerate(entries) if one.number == start), 0)
        first = at + 1 if self.current is not None else at
        yield from (*entries[first:], *entries[:first])

    # ------------------------------------------------------------ where they are

    def spans(self, entry: Entry, row: int) -> list[Span]:
        """The stretches of one row that match; the message must be measured."""
        if self._pattern is None:
            return []
        read = self._take(entry)
        if not read.has_spans or read.version != entry.version:
            read.spans = self._find_spans(entry)
            read.version, read.has_spans = entry.version, True
        return read.spans.get(row, [])

    def row_of(self, match: Match) -> int | None:
        """The row, within its message, at which a match begins; measures the message."""
        entry = self._rows.entry(match.message)
        if entry is None:
            return None
        self._rows.start_of(match.message)
        for row in entry.body_rows():
            if any(span.number == match.number for span in self.spans(entry, row)):
                return row
        return None

    def _find_spans(self, entry: Entry) -> dict[int, list[Span]]:
        assert self._pattern is not None
        text, pieces = _joined(entry)
        spans: dict[int, list[Span]] = {}
        first = 0
        for number, match in enumerate(self._pattern.finditer(text)):
            if number >= MOST_MATCHES:
                break
            while pieces[first].end <= match.start():
                first += 1
            for piece in pieces[first:]:
                if piece.start >= match.end():
                    break
                start = max(match.start(), piece.start) - piece.start + piece.lead
                end = min(match.end(), piece.end) - piece.start + piece.lead
                if start < end:
                    spans.setdefault(piece.row, []).append(Span(start, end, number))
        return spans


class _Piece(NamedTuple):
    """A row's text within the joined text."""

    start: int
    end: int
    row: int
    lead: int


def _joined(entry: Entry) -> tuple[str, list[_Piece]]:
    """What a message says, wrapped lines joined, and where each row of it is in there."""
    parts: list[str] = []
    pieces: list[_Piece] = []
    at = 0
    for row in entry.body_rows():
        line = entry.line(row)
        if parts:
            glue = "\n" if line.glue is None else line.glue
            parts.append(glue)
            at += len(glue)
        text = line.text[line.lead :]
        pieces.append(_Piece(at, at + len(text), row, line.lead))
        parts.append(text)
        at += len(text)
    return "".join(parts), pieces
