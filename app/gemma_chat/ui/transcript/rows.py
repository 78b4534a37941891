"""All rows of a conversation, and the place in them where the reader stands.

Heights of messages nobody has looked at are estimates. They become exact one page before the
reader gets there, and the row at the top of the view stays the same row whatever changes above it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gemma_chat.host.protocol import MessageView, ScrollPosition
from gemma_chat.terms import MessageRole
from gemma_chat.ui.transcript.entry import Entry
from gemma_chat.ui.transcript.height_index import HeightIndex
from gemma_chat.ui.transcript.previews import Previews

_LOOK_BACK = 8
"""Messages among which the reply before one is looked for."""
_MAX_PAINTED_ENTRIES = 256
"""Messages whose rows are kept in memory; of the others only the height is."""


@dataclass(slots=True)
class _Anchor:
    """The row at the top of the view."""

    entry: Entry
    row: int


class Change(NamedTuple):
    """Rows that look different: from `first` to `end`, or to the end of all if `moved`."""

    first: int
    end: int
    moved: bool


class MessageRows:
    """The messages of one conversation in order, as rows of one width."""

    def __init__(self, names: Mapping[MessageRole, str]) -> None:
        """`names` gives the words above a message for each role."""
        self._names = names
        self.previews = Previews()
        """Small pictures of what was sent."""
        self._width = 0
        self._entries: list[Entry] = []
        self._heights = HeightIndex()
        self._painted: dict[Entry, None] = {}
        self._anchor: _Anchor | None = None
        self._mark = (0, "")
        """The message with a mark below it, and its words."""

    # ------------------------------------------------------------ messages

    @property
    def first_message(self) -> int | None:
        """The number of the oldest message."""
        return self._entries[0].number if self._entries else None

    def replace(self, views: Iterable[MessageView], *, reuse: bool) -> None:
        """Hold other messages; with `reuse`, rows of unchanged ones are kept."""
        known = {entry.number: entry for entry in self._entries} if reuse else {}
        entries = []
        for view in sorted(views, key=lambda view: view.message):
            entry = known.get(view.message)
            if entry is None:
                entry = self._entry(view)
            else:
                entry.update(view)
            entries.append(entry)
        for entry in entries:
            self._put_mark(entry)
        self._entries = entries
        kept = set(entries)
        self._painted = {entry: None for entry in self._painted if entry in kept}
        self._anchor = None
        self._reindex()

    def put(self, view: MessageView) -> Change:
        """Add a message, or take over one that changed as a whole."""
        place = self._place_of(view.message)
        if self._holds(place, view.message):
            return self._changed(place, self._entries[place].update(view))
        entry = self._entry(view)
        self._entries.insert(place, entry)
        if place == len(self._entries) - 1:
            self._heights.append(entry.height)
        else:
            self._reindex()
        return self._changed(place, 0)._replace(moved=True)

    def renew(self, digest: str) -> Iterator[Change]:
        """Show a picture that has come wherever it belongs."""
        for place, entry in enumerate(self._entries):
            if any(file.digest == digest for file in entry.view.attachments):
                yield self._changed(place, entry.renew())

    def mark(self, message: int, text: str) -> bool:
        """Put a mark below one message, 0 for none. False if it is there already."""
        if (message, text) == self._mark:
            return False
        before, self._mark = self._mark[0], (message, text)
        for number in {before, message}:
            entry = self.entry(number)
            if entry is not None:
                self._put_mark(entry)
        self._reindex()
        return True

    def _put_mark(self, entry: Entry) -> None:
        message, text = self._mark
        entry.mark(text if entry.number == message else "")

    def prepend(self, views: Iterable[MessageView]) -> bool:
        """Add older messages. False if all of them are there already."""
        known = {entry.number for entry in self._entries}
        new = [self._entry(view) for view in views if view.message not in known]
        if new:
            self._entries = sorted([*new, *self._entries], key=lambda entry: entry.number)
            self._reindex()
        return bool(new)

    def remove(self, message: int) -> bool:
        """Take a message out. False if it is not there."""
        place = self._place_of(message)
        if not self._holds(place, message):
            return False
        entry = self._entries.pop(place)
        self._painted.pop(entry, None)
        if self._anchor is not None and self._anchor.entry is entry:
            self._anchor = None
            if self._entries:
                self._anchor = _Anchor(self._entries[min(place, len(self._entries) - 1)], 0)
        self._reindex()
        return True

    def add_text(self, message: int, offset: int, text: str) -> bool | None:
        """Take streamed text; `flush` brings it to the rows.

        Returns whether there was anything new, or None if text in between is missing.
        """
        place = self._place_of(message)
        if not self._holds(place, message):
            return None
        entry = self._entries[place]
        if offset > entry.length:
            return None
        new = text[entry.length - offset :]
        if new:
            entry.add(new)
        return bool(new)

    def flush(self, message: int) -> Change | None:
        """Bring streamed text to the rows; None if the message is gone."""
        place = self._place_of(message)
        if not self._holds(place, message):
            return None
        return self._changed(place, self._entries[place].flush())

    def toggle_aside(self, row: int) -> Change | None:
        """Unfold or fold the thought or call at a row; None if there is none."""
        found = self.at(row)
        place = found[0].aside_at(found[1]) if found else None
        if found is None or place is None:
            return None
        entry = found[0]
        return self._changed(self._place_of(entry.number), entry.toggle(place))

    def toggle_all_asides(self) -> None:
        """Unfold all thoughts and calls; fold them when one is unfolded."""
        having = [entry for entry in self._entries if entry.has_asides]
        unfolded = not any(entry.is_unfolded for entry in having)
        for entry in having:
            entry.unfold_all(unfolded=unfolded)
        self._reindex()

    @property
    def entries(self) -> Sequence[Entry]:
        """The messages, oldest first."""
        return self._entries

    def entry(self, message: int) -> Entry | None:
        """One message, when it is there."""
        place = self._place_of(message)
        return self._entries[place] if self._holds(place, message) else None

    def neighbour(self, message: int, step: int) -> int:
        """The message so many places further on, the first or last one when it ends before."""
        if not self._entries:
            return 0
        place = self._place_of(message) + step
        return self._entries[max(0, min(place, len(self._entries) - 1))].number

    def start_of(self, message: int) -> int:
        """The row at which a message begins, measured."""
        place = self._place_of(message)
        if not self._holds(place, message):
            return 0
        self._measure(place)
        return self._heights.offset(place)

    @property
    def text(self) -> str:
        """The whole conversation: who, and what was said."""
        return "\n\n".join(f"{entry.name}\n{entry.text}" for entry in self._entries)

    # ------------------------------------------------------------ rows

    @property
    def total(self) -> int:
        """The height of everything, as far as it is known."""
        return self._heights.total

    def set_width(self, width: int) -> None:
        """Wrap to another width; what the reader sees first stays near the top."""
        if width == self._width:
            return
        self._width = width
        anchor = self._anchor
        height = anchor.entry.height if anchor else 0
        self._painted.clear()
        for entry in self._entries:
            entry.estimate(width)
        self._reindex()
        if anchor is not None and anchor.row:
            self._measure(self._place_of(anchor.entry.number))
            anchor.row = anchor.row * anchor.entry.height // max(1, height)

    def at(self, row: int) -> tuple[Entry, int] | None:
        """The message at a row, measured, and the row within it; None below the last one."""
        place, inner = self._heights.locate(row)
        if row < 0 or place >= len(self._entries):
            return None
        entry = self._entries[place]
        if not entry.is_painted:
            self._measure(place)
        return (entry, inner) if inner < entry.height else None

    def extent(self, row: int) -> tuple[int, int] | None:
        """The first row of the message at a row, and the row after its last."""
        place, _ = self._heights.locate(row)
        if row < 0 or place >= len(self._entries):
            return None
        start = self._heights.offset(place)
        return start, start + self._heights[place]

    def let_go(self, entry: Entry) -> None:
        """Drop the rows of a message that was measured for another purpose than to be shown."""
        if entry not in self._painted:
            entry.release()

    # ------------------------------------------------------------ where the reader stands

    @property
    def follows(self) -> bool:
        """The reader is at the end and new rows keep the view there."""
        return self._anchor is None

    @property
    def position(self) -> ScrollPosition:
        """Where the reader stands, in a form that outlives this width."""
        if self._anchor is None:
            return ScrollPosition()
        return ScrollPosition(False, self._anchor.entry.number, self._anchor.row)

    @position.setter
    def position(self, position: ScrollPosition) -> None:
        self._anchor = None
        if not position.follow and self._entries:
            place = min(self._place_of(position.message), len(self._entries) - 1)
            self._anchor = _Anchor(self._entries[place], max(0, position.row))

    def stand_at(self, row: int) -> None:
        """The reader moved: this row is at the top now."""
        if self._entries:
            place, inner = self._heights.locate(row)
            place = min(place, len(self._entries) - 1)
            self._anchor = _Anchor(self._entries[place], inner)

    def settle(self, view_height: int) -> int:
        """Make the rows in view, and a page around them, exact. Returns the row at the top."""
        if self._width <= 0 or not self._entries:
            return 0
        if self._anchor is None:
            self._measure_upwards(len(self._entries) - 1, 2 * view_height)
            return max(0, self.total - view_height)
        place = self._place_of(self._anchor.entry.number)
        self._measure(place)
        self._measure_downwards(place, self._anchor.row + 2 * view_height)
        self._measure_upwards(place - 1, view_height)
        row = min(self._anchor.row, self._anchor.entry.height - 1)
        wanted = self._heights.offset(place) + row
        return max(0, min(wanted, self.total - view_height))

    def is_near_start(self, view_height: int) -> bool:
        """The reader is within a page of the oldest message."""
        if self._anchor is None:
            return self.total <= 2 * view_height
        place = self._place_of(self._anchor.entry.number)
        return self._heights.offset(place) + self._anchor.row <= view_height

    # ------------------------------------------------------------ inside

    def _entry(self, view: MessageView) -> Entry:
        entry = Entry(view, self._names[view.role], self._width, self.previews)
        self._put_mark(entry)
        return entry

    def _is_of_another_model(self, place: int) -> bool:
        """Whether a reply is of another model than the one before it; of both it must be known."""
        model = self._entries[place].view.model
        before = (entry.view.model for entry in reversed(self._entries[:place][-_LOOK_BACK:]))
        other = next(filter(None, before), model)
        return bool(model) and other != model

    def _place_of(self, message: int) -> int:
        return bisect_left(self._entries, message, key=lambda entry: entry.number)

    def _holds(self, place: int, message: int) -> bool:
        return place < len(self._entries) and self._entries[place].number == message

    def _reindex(self) -> None:
        self._heights = HeightIndex(entry.height for entry in self._entries)

    def _changed(self, place: int, first_row: int) -> Change:
        moved = bool(self._heights.set(place, self._entries[place].height))
        start = self._heights.offset(place)
        return Change(start + first_row, start + self._heights[place], moved)

    def _measure_downwards(self, place: int, rows: int) -> None:
        while place < len(self._entries) and rows > 0:
            self._measure(place)
            rows -= self._heights[place]
            place += 1

    def _measure_upwards(self, place: int, rows: int) -> None:
        while place >= 0 and rows > 0:
            self._measure(place)
            rows -= self._heights[place]
            place -= 1

    def _measure(self, place: int) -> None:
        entry = self._entries[place]
        if not entry.is_painted:
            entry.names_model = self._is_of_another_model(place)
            entry.measure(self._width)
        self._heights.set(place, entry.height)
        self._painted.pop(entry, None)
        self._painted[entry] = None
        while len(self._painted) > _MAX_PAINTED_ENTRIES:
            oldest = next(iter(self._painted))
            del self._painted[oldest]
            oldest.release()
