"""The widget that paints a conversation.

One widget for all messages, and no child widgets: a frame costs what the rows on screen and the
growing end of one reply cost. What is at which row is `MessageRows`' business, how it looks
`StripPainter`'s; here both meet Textual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from gemma_chat.host.protocol import MessageView, ScrollPosition
from gemma_chat.terms import SPEAKERS
from gemma_chat.ui.bindings import bindings_of
from gemma_chat.ui.transcript import pacing, strips
from gemma_chat.ui.transcript.previews import PictureLine
from gemma_chat.ui.transcript.reader import EXTENDING, Reader
from gemma_chat.ui.transcript.rows import Change, MessageRows
from gemma_chat.ui.transcript.selecting import copied_text, message_at, word_at
from gemma_chat.ui.transcript.strips import Gutter, StripPainter, with_selection
from gemma_chat.ui.transcript.styles import STYLES

NEW_TEXT_BELOW = "↓ new text below (end)"


class Transcript(Reader, can_focus=True, inherit_bindings=False):
    """All messages of one conversation."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll_up", "Up", show=False, id="transcript.up"),
        Binding("down", "scroll_down", "Down", show=False, id="transcript.down"),
        Binding("pageup", "page_up", "Page up", show=False, id="transcript.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="transcript.page_down"),
        Binding("home", "scroll_home", "Oldest", show=False, id="transcript.home"),
        Binding("end", "scroll_end", "Newest", show=False, id="transcript.end"),
        *(
            Binding(f"shift+{key}", f"extend('{direction}')", show=False)
            for key, direction in EXTENDING
        ),
        *bindings_of("transcript", "app.run"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = set(strips.COMPONENT_CLASSES)
    DEFAULT_CSS = STYLES

    @dataclass
    class Scrolled(Message):
        """The reader moved."""

        position: ScrollPosition
        key: int

    @dataclass
    class OlderWanted(Message):
        """The reader is within a page of the first message, number `before`.

        Posted once each time the reader comes near.
        """

        before: int
        key: int

    @dataclass
    class PreviewWanted(Message):
        """The reader looks at a picture, of which there is no preview yet."""

        digest: str

    def __init__(
        self,
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(MessageRows(SPEAKERS), id=id, classes=classes)
        self._streaming: set[int] = set()
        self._flush_timer: Timer | None = None
        self._last_flush = 0.0
        self._last_cost = 0.0
        self._is_text_below = False
        self._asked_before: int | None = None
        self._painter = StripPainter(0, self._component_style)

    # ------------------------------------------------------------ the conversation

    def show(self, messages: Sequence[MessageView], scroll: ScrollPosition, *, key: int) -> None:
        """Bind the view to a conversation, standing at `scroll`.

        `key` names the conversation, 0 none: shown again under the same key, messages that have not
        changed are not parsed again.
        """
        self._rows.replace(messages, reuse=key == self._key)
        self._rows.position = scroll
        if key != self._key:
            self._cursor.message = 0
        self._key = key
        if self._cursor.restore():
            self.post_message(self.Selected(0, self._key))
        self._search_again()
        self._streaming.clear()
        self._asked_before = None
        self._is_text_below = False
        self._rearrange()

    def put(self, message: MessageView) -> None:
        """Show a new message, or one that changed as a whole."""
        self._streaming.discard(message.message)
        self._apply(self._rows.put(message))
        self._search_again(message.message)

    def append(self, message: int, offset: int, text: str) -> bool:
        """Add streamed text; `offset` is its place in the message, in characters.

        Text that is there already is ignored. Returns False when text in between is missing or
        the message is unknown: fetch it and `put` it.
        """
        is_new = self._rows.add_text(message, offset, text)
        if is_new:
            self._streaming.add(message)
            self._request_flush()
        return is_new is not None

    def remove_message(self, message: int) -> None:
        """Take a message out, if it is there."""
        self._streaming.discard(message)
        if self._rows.remove(message):
            if self._cursor.restore():
                self.post_message(self.Selected(0, self._key))
            self._search_again(message)
            self._rearrange()

    def prepend(self, messages: Sequence[MessageView]) -> None:
        """Add older messages above; what the reader sees does not move."""
        if self._rows.prepend(messages):
            self._search_again()
            self._rearrange()

    def mark_replaced(self, message: int, text: str) -> None:
        """Put a mark below the last message that the model does not see; 0 for none."""
        if self._rows.mark(message, text):
            self._rearrange()

    def show_preview(self, digest: str, lines: tuple[PictureLine, ...]) -> None:
        """Show a small picture wherever it was sent."""
        self._rows.previews.keep(digest, lines)
        for change in tuple(self._rows.renew(digest)):
            self._apply(change)

    def toggle_asides(self) -> None:
        """Unfold all thoughts and tool calls, or fold them when one is unfolded."""
        self._rows.toggle_all_asides()
        self._rearrange()

    # ------------------------------------------------------------ where the reader stands

    @property
    def scroll_position(self) -> ScrollPosition:
        """Where the reader stands."""
        return self._rows.position

    @property
    def follows(self) -> bool:
        """The reader is at the end, and new text keeps the view there."""
        return self._rows.follows

    @property
    def is_text_below(self) -> bool:
        """Text has come below the view that the reader has not been shown."""
        return self._is_text_below

    def to_end(self) -> None:
        """Go to the newest text and follow it."""
        self._rows.position = ScrollPosition()
        self._reader_moved()
        self.refresh()

    def scroll_end(self, *_: Any, **__: Any) -> None:
        """Go to the newest text and follow it; there is no other way to scroll to the end."""
        self.to_end()

    def _scroll_to(
        self, x: float | None = None, y: float | None = None, *, animate: bool = True, **how: Any
    ) -> bool:
        # Never animated: twenty frames for one key press are nothing for a slow line, and an
        # animation aims at a row that moves when a height becomes exact.
        return super()._scroll_to(None, y, animate=False, **how)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The reader moved, by whatever means. Moves of our own do not come through here."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) == round(new_value):
            return
        if new_value >= self.max_scroll_y:
            self._rows.position = ScrollPosition()
        else:
            self._rows.stand_at(round(new_value))
        self._reader_moved()

    def _reader_moved(self) -> None:
        if self._rows.follows:
            self._is_text_below = False
        self._settle()
        self.post_message(self.Scrolled(self.scroll_position, self._key))

    # ------------------------------------------------------------ streamed text

    def _request_flush(self) -> None:
        if self._flush_timer is None and self.is_attached:
            period = pacing.PERIOD if self.screen.is_active else pacing.COVERED_PERIOD
            due = self._last_flush + pacing.pause_after(self._last_cost, period)
            self._flush_timer = self.set_timer(max(0.001, due - perf_counter()), self._flush)

    def _flush(self) -> None:
        """Paint the text that has come since the last time."""
        self._flush_timer = None
        began = perf_counter()
        if not pacing.is_terminal_behind(self.app):
            streaming, self._streaming = self._streaming, set()
            for message in streaming:
                if change := self._rows.flush(message):
                    self._apply(change)
                self._search_again(message)
        self._last_flush = perf_counter()
        self._last_cost = self._last_flush - began
        if self._streaming:
            self._request_flush()

    def _apply(self, change: Change) -> None:
        """Show rows that have changed, repainting no others."""
        top = self.scroll_offset.y
        moved_view = self._settle()
        bottom = top + self._view_height
        if not self._rows.follows and change.end > bottom and not self._is_text_below:
            self._is_text_below = True
            self._refresh_rows(bottom - 1, bottom)
        if moved_view:
            self.refresh()
        else:
            self._refresh_rows(change.first, bottom if change.moved else change.end)

    def _refresh_rows(self, first: int, end: int) -> None:
        top = self.scroll_offset.y
        first, end = max(first, top), min(end, top + self._view_height)
        if first < end:
            self.refresh(Region(0, first - top, self.size.width, end - first))

    # ------------------------------------------------------------ geometry

    def on_resize(self) -> None:
        """Wrap to the new width; only what is in view is parsed again."""
        width = self.scrollable_content_region.width
        if width != self._painter.width:
            self._painter = StripPainter(width, self._component_style)
        if width:
            self._rows.set_width(self._painter.text_width)
        if self._finder is not None and self._finder.width != self._painter.text_width:
            self._finder = self._finder.at_width(self._painter.text_width)
            self._read_on()
        self._settle()
        self.refresh()

    def _rearrange(self) -> None:
        """Rows are where they were not before: a selection would point at other text."""
        self._text_cursor = None
        self._clear_selection()
        self._settle()
        self.refresh()

    def _settle(self) -> bool:
        """Bring scroll bar and scroll position in line with the rows. True if the view moved.

        `virtual_size` and the scroll position are set without their watchers: Textual would lay
        out the screen, and nothing but the scroll bar depends on them.
        """
        height = self._view_height
        if not height:
            return False
        top = self._rows.settle(height)
        size = Size(0, self._rows.total)
        if size != self.virtual_size:
            self.set_reactive(Widget.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height
            self.vertical_scrollbar.window_size = height
        self._ask_for_older(height)
        self._ask_for_previews()
        if top == self.scroll_y:
            return False
        self.set_reactive(Widget.scroll_y, top)
        self.set_reactive(Widget.scroll_target_y, top)
        self.vertical_scrollbar.position = top
        return True

    def _ask_for_previews(self) -> None:
        for digest in self._rows.previews.take_wanted():
            self._tell(self.PreviewWanted(digest))

    def _ask_for_older(self, height: int) -> None:
        first = self._rows.first_message
        if first is None or not self._rows.is_near_start(height):
            self._asked_before = None
        elif first != self._asked_before:
            self._asked_before = first
            self._tell(self.OlderWanted(first, self._key))

    def _tell(self, message: Message) -> None:
        # Rows are laid out also while the widget above this one is at work. What is posted then
        # counts as sent by that one, and Textual lets no message go further up than its sender.
        self.post_message(message.set_sender(self))

    # ------------------------------------------------------------ painting

    def _selection_style(self) -> Style:
        style = self.screen.get_component_rich_style("screen--selection")
        if self.screen.get_component_styles("screen--selection").color.a:
            return style
        # A transparent foreground would come out in the colour of the background.
        return Style(bgcolor=style.bgcolor)

    def notify_style_update(self) -> None:
        """Another theme or another state of this widget: strips carry the old colours."""
        super().notify_style_update()
        self._painter = StripPainter(self._painter.width, self._component_style)

    def render_line(self, y: int) -> Strip:
        """Paint one row of the view."""
        if self._is_text_below and y == self._view_height - 1:
            return self._painter.sign(NEW_TEXT_BELOW)
        row = self.scroll_offset.y + y
        found = self._rows.at(row)
        if found is None:
            return Strip.blank(self._painter.width, self._painter.style(frozenset()))
        entry, inner = found
        is_text = inner < entry.height - 1
        gutter: Gutter = "none"
        if is_text and (entry.is_selected or entry.role == "user"):
            gutter = "cursor" if entry.is_selected else "person"
        strip = self._painter.paint(entry.painted_line(inner), gutter)
        if self._finder is not None:
            strip = self._with_matches(strip, self._finder, entry, inner)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row)) is not None:
            start, end = span
            last = strips.GUTTER + len(entry.line(inner).text)
            end = last if end == -1 else min(end, last)
            strip = with_selection(strip, max(strips.GUTTER, start), end, self._selection_style())
        return strip.apply_offsets(0, row)

    # ------------------------------------------------------------ mouse and selection

    def on_click(self, event: events.Click) -> None:
        """One click puts the cursor on a message, or unfolds a thought or call.

        Two select a word, three a message. Textual would select the whole conversation instead.
        """
        if self._is_text_below and event.y == self._view_height - 1:
            event.stop()
            self.to_end()
            return
        _, offset = self.screen.get_widget_and_offset_at(event.screen_x, event.screen_y)
        if event.chain == 1 and (change := self._rows.toggle_aside(self.scroll_offset.y + event.y)):
            event.stop()
            self._apply(change)
        elif event.chain >= 2:
            event.prevent_default()
            if offset is not None:
                self._select_at(offset, whole_message=event.chain > 2)
        elif self.text_selection is None and offset is not None:
            self._click_message(offset, menu=event.button == 3)

    def _select_at(self, offset: Offset, *, whole_message: bool) -> None:
        place = (offset.y, offset.x - strips.GUTTER)
        span = message_at(self._rows, offset.y) if whole_message else word_at(self._rows, place)
        if span is not None:
            self._text_cursor = None
            self._select_text(*span)

    def selection_updated(self, selection: Selection | None) -> None:
        """Show what is selected."""
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text as it was written, without margins and wrapping."""
        start, end = selection
        if start is None and end is None:
            return self._rows.text, "\n"
        first = (start.y, start.x - strips.GUTTER) if start else (0, 0)
        last = (end.y, end.x - strips.GUTTER) if end else (self._rows.total, 0)
        return copied_text(self._rows, first, last), "\n"
