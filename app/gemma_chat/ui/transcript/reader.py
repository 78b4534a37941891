"""What a reader can do with a conversation: a cursor over messages, search, and selecting by keys.

The base of the widget that paints it, and apart from that so that each fits a head.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from rich.style import Style
from textual.geometry import Offset
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer

from gemma_chat.host.protocol import ScrollPosition
from gemma_chat.ui.transcript import strips
from gemma_chat.ui.transcript.cursor import MessageCursor
from gemma_chat.ui.transcript.entry import Entry, Spot
from gemma_chat.ui.transcript.finding import Finder
from gemma_chat.ui.transcript.rows import MessageRows
from gemma_chat.ui.transcript.selecting import Place
from gemma_chat.ui.transcript.strips import StripPainter
from gemma_chat.ui.transcript.text_cursor import Direction, TextCursor

EXTENDING: tuple[tuple[str, Direction], ...] = (
    ("up", "up"),
    ("down", "down"),
    ("left", "left"),
    ("right", "right"),
    ("home", "line_start"),
    ("end", "line_end"),
)
"""The keys that, with shift, move the end of a selection."""


class Reader(ScrollView):
    """A view of `MessageRows` with a cursor, a search and a selection in it."""

    @dataclass
    class Selected(Message):
        """The cursor stands on this message now; 0: on none."""

        message: int
        key: int

    @dataclass
    class SpotClicked(Message):
        """A sign in the head of a message was clicked."""

        message: int
        spot: Spot
        key: int

    @dataclass
    class Counted(Message):
        """The search knows of more matches, or stands on another one, from 1; 0: on none."""

        place: int
        count: int
        done: bool
        key: int

    def __init__(self, rows: MessageRows, *, id: str | None, classes: str | None) -> None:
        super().__init__(id=id, classes=classes)
        self._rows = rows
        self._key = 0
        """Names the conversation, here and in every message of this widget."""
        self._painter = StripPainter(0, self._component_style)
        self._cursor = MessageCursor(rows)
        self._text_cursor: TextCursor | None = None
        self._finder: Finder | None = None
        self._reading_on: Timer | None = None

    def _component_style(self, names: tuple[str, ...]) -> Style:
        return self.get_visual_style(*names).rich_style

    @property
    def _view_height(self) -> int:
        return self.scrollable_content_region.height

    @property
    def _bottom(self) -> int:
        return self.scroll_offset.y + self._view_height

    @abstractmethod
    def _reader_moved(self) -> None:
        """The reader stands elsewhere now: show that."""

    # ------------------------------------------------------------ the cursor over messages

    @property
    def selected(self) -> int:
        """The message on which the cursor stands; 0 when on none."""
        return self._cursor.message

    def move_cursor(self, step: int) -> None:
        """Go to the message so many places below; from nowhere, to the last one in view."""
        top = self.scroll_offset.y
        self._cursor.move(step, top, self._view_height)
        self._cursor_moved(self._cursor.top_for(top, self._view_height))

    def action_scroll_up(self) -> None:
        """One message up with a cursor, but first through the one it stands on; else one row."""
        message = self._cursor.message
        if not message or self._rows.start_of(message) < self.scroll_offset.y:
            super().action_scroll_up()
        else:
            self.move_cursor(-1)

    def action_scroll_down(self) -> None:
        """The same downwards."""
        entry = self._rows.entry(self._cursor.message)
        if entry is None or self._rows.start_of(entry.number) + entry.height - 1 > self._bottom:
            super().action_scroll_down()
        else:
            self.move_cursor(1)

    def select_message(self, message: int) -> None:
        """Put the cursor on a message; on none with 0."""
        self._cursor.put(message)
        self._cursor_moved(self._cursor.top_for(self.scroll_offset.y, self._view_height))

    def _cursor_moved(self, top: int) -> None:
        self._text_cursor = None
        self._clear_selection()
        self._go_to_row(top)
        self.refresh()
        self.post_message(self.Selected(self._cursor.message, self._key))

    def _go_to_row(self, top: int) -> None:
        if top == self.scroll_offset.y:
            return
        if top >= self._rows.total - self._view_height:
            self._rows.position = ScrollPosition()
        else:
            self._rows.stand_at(top)
        self._reader_moved()

    def _click_message(self, offset: Offset, *, menu: bool) -> None:
        found = self._rows.at(offset.y)
        if found is None:
            return
        entry, inner = found
        if entry.is_mark(inner) and not menu:
            self.post_message(self.SpotClicked(entry.number, "summary", self._key))
            return
        spot = entry.spot_at(offset.x - strips.GUTTER) if inner == 0 else None
        self._cursor.put(entry.number)
        self._cursor_moved(self.scroll_offset.y)
        if spot is not None or menu:
            self.post_message(self.SpotClicked(entry.number, spot or "menu", self._key))

    # ------------------------------------------------------------ search

    def search(self, wanted: str) -> None:
        """Mark all places that match, and go to the newest; an empty string ends the search."""
        self._finder = Finder(self._rows, self._painter.text_width, wanted) if wanted else None
        if self._finder is not None:
            self.find(-1)
        self._read_on()
        self.refresh()

    def find(self, direction: int) -> None:
        """Go to the next match down (1) or up (-1)."""
        if self._finder is None:
            return
        top = self.scroll_offset.y
        found = self._rows.at(top if direction > 0 else top + self._view_height - 1)
        match = self._finder.step(direction, found[0].number if found else self._newest)
        row = self._finder.row_of(match) if match is not None else None
        if match is not None and row is not None:
            at = self._rows.start_of(match.message) + row
            if not top <= at < top + self._view_height:
                self._go_to_row(max(0, at - self._view_height // 2))
        self._tell_count()
        self.refresh()

    @property
    def _newest(self) -> int:
        entries = self._rows.entries
        return entries[-1].number if entries else 0

    def _search_again(self, message: int | None = None) -> None:
        """Messages have changed: the search looks at them again."""
        if self._finder is None:
            return
        if message is not None:
            self._finder.refresh(message)
        self._read_on()

    def _read_on(self) -> None:
        if self._finder is not None and self._reading_on is None and self.is_attached:
            self._reading_on = self.set_timer(0.01, self._read_slice)

    def _read_slice(self) -> None:
        self._reading_on = None
        if self._finder is None:
            return
        if self._finder.read_on():
            self._read_on()
        self._tell_count()

    def _tell_count(self) -> None:
        if self._finder is not None:
            done = self._reading_on is None
            place, count = self._finder.place, self._finder.count
            self.post_message(self.Counted(place, count, done, self._key))

    def _with_matches(self, strip: Strip, finder: Finder, entry: Entry, inner: int) -> Strip:
        for start, end, number in finder.spans(entry, inner):
            current = finder.current == (entry.number, number)
            strip = self._painter.matched(strip, start, end, current=current)
        return strip

    # ------------------------------------------------------------ selecting by keys

    def action_extend(self, direction: Direction) -> None:
        """Select text with the keyboard, from the cursor's message on."""
        cursor = self._text_cursor or self._first_text_cursor()
        self._text_cursor = cursor.extended(self._rows, direction)
        self._select_text(*self._text_cursor.span)
        row, top = self._text_cursor.head[0], self.scroll_offset.y
        if row < top or row >= top + self._view_height:
            self._go_to_row(row if row < top else row - self._view_height + 1)

    def _first_text_cursor(self) -> TextCursor:
        top = self.scroll_offset.y
        if self._cursor.message:
            top = max(top, self._rows.start_of(self._cursor.message) + 1)
        found = self._rows.at(top)
        lead = found[0].line(found[1]).lead if found else 0
        return TextCursor((top, lead), (top, lead))

    def mark_code(self) -> bool:
        """Select the next block of code of the cursor's message; False when it has none."""
        entry = self._rows.entry(self._cursor.message)
        if entry is None:
            return False
        start = self._rows.start_of(entry.number)
        blocks = entry.code_blocks()
        if not blocks:
            return False
        marked = self._marked_row - start
        block = next((block for block in blocks if block.start > marked), blocks[0])
        last = start + block.stop - 1
        self._text_cursor = None
        end = len(entry.line(block.stop - 1).text)
        self._select_text((start + block.start, 0), (last, end))
        if not self.scroll_offset.y <= start + block.start < last < self._bottom:
            self._go_to_row(start + block.start)
        return True

    @property
    def _marked_row(self) -> int:
        selection = self.text_selection
        return selection.start.y if selection is not None and selection.start else -1

    def _select_text(self, start: Place, end: Place) -> None:
        first, last = (Offset(column + strips.GUTTER, row) for row, column in (start, end))
        self.screen.selections = {self: Selection(first, last)}

    def _clear_selection(self) -> None:
        if self.is_attached and self.text_selection is not None:
            self.screen.clear_selection()
