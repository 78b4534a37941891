"""The tab bar: one line, one widget, however many tabs there are.

When the tabs do not fit, a window of them is shown in which the active one always is; `‹3` and
`5›` at its ends tell how many are hidden there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from gemma_chat.ui.signs import Sign, sign_of
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.text import one_line

MAX_TITLE_CELLS = 24
MIN_TITLE_CELLS = 8
_PLUS = " + "
_MARK_CELLS = 4


class TabLabel(msgspec.Struct, frozen=True):
    """What the bar shows of one tab."""

    session: int
    number: int
    title: str
    sign: Sign
    active: bool


def labels_of(state: TerminalState) -> tuple[TabLabel, ...]:
    """The labels of all tabs, in their order."""
    return tuple(
        TabLabel(
            session=tab.session,
            number=number,
            title=one_line(tab.title, MAX_TITLE_CELLS),
            sign=sign_of(state, tab),
            active=tab.session == state.active,
        )
        for number, tab in enumerate(state.tabs, 1)
    )


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of tabs, from `first` up to but not including `end`."""

    first: int
    end: int


def visible_span(widths: Sequence[int], active: int, first: int, cells: int) -> Span:
    """The tabs that are shown in `cells` cells, beginning at `first` if the active one fits then.

    The active tab is always in it, even when it is wider than the bar.
    """
    if not widths:
        return Span(0, 0)
    if sum(widths) <= cells:
        return Span(0, len(widths))
    cells -= 2 * _MARK_CELLS
    first = min(first, active, len(widths) - 1)
    end = _end_of(widths, first, cells)
    while end <= active:
        first += 1
        end = _end_of(widths, first, cells)
    # Room that is left at the right end is filled from the left.
    while first > 0 and sum(widths[first - 1 : end]) <= cells:
        first -= 1
    return Span(first, end)


def _end_of(widths: Sequence[int], first: int, cells: int) -> int:
    end = first
    used = 0
    while end < len(widths) and used + widths[end] <= cells:
        used += widths[end]
        end += 1
    return max(end, first + 1)


class TabBar(Widget):
    """One line with a label for each tab, and a `+`."""

    DEFAULT_CSS = """
    TabBar {
        dock: top;
        height: 1;
        background: $panel;
        color: $ink-quiet;
    }
    TabBar > .tab-bar--active { background: $background; color: $foreground; text-style: bold; }
    TabBar > .tab-bar--edge { color: $accent; }
    TabBar > .tab-bar--mark { color: $ink-quiet; }
    TabBar > .tab-bar--holding { color: $ink-good; }
    TabBar > .tab-bar--asking { color: $ink-wait; text-style: bold; }
    TabBar > .tab-bar--calling { color: $ink-wait; }
    TabBar > .tab-bar--waiting { color: $ink-wait; }
    TabBar > .tab-bar--unread { color: $ink-mark; }
    TabBar > .tab-bar--failed { color: $ink-bad; text-style: bold; }
    TabBar > .tab-bar--loading { color: $ink-quiet; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tab-bar--active",
        "tab-bar--edge",
        "tab-bar--number",
        "tab-bar--mark",
        "tab-bar--holding",
        "tab-bar--asking",
        "tab-bar--calling",
        "tab-bar--waiting",
        "tab-bar--unread",
        "tab-bar--failed",
        "tab-bar--loading",
    }

    @dataclass
    class Selected(Message):
        """A person clicked a tab."""

        session: int

    @dataclass
    class CloseWanted(Message):
        """A person clicked a tab with the middle button."""

        session: int

    class NewWanted(Message):
        """A person clicked the `+`."""

    def __init__(self) -> None:
        super().__init__(id="tab-bar")
        self._labels: tuple[TabLabel, ...] = ()
        self._first = 0
        self._places: list[tuple[int, int, TabLabel]] = []
        """Start and end cell of every visible label."""
        self._plus_at = 0

    def show(self, labels: tuple[TabLabel, ...]) -> None:
        """Draw these labels; nothing happens when they are the ones already shown."""
        if labels != self._labels:
            self._labels = labels
            self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        segments, used = self._draw(self.size.width, base)
        segments.append(Segment(" " * max(0, self.size.width - used), base))
        return Strip(segments).crop(0, self.size.width)

    def _draw(self, width: int, base: Style) -> tuple[list[Segment], int]:
        title_cells = max(MIN_TITLE_CELLS, min(MAX_TITLE_CELLS, width // 3))
        cut = [self._parts(label, title_cells) for label in self._labels]
        widths = [sum(cell_len(text) for text, _ in parts) for parts in cut]
        active = next((i for i, label in enumerate(self._labels) if label.active), 0)
        span = visible_span(widths, active, self._first, width - len(_PLUS))
        self._first = span.first
        hidden_left, hidden_right = span.first, len(cut) - span.end
        segments: list[Segment] = []
        self._places.clear()
        used = 0
        if hidden_left:
            segments.append(self._segment(f"‹{hidden_left}".ljust(_MARK_CELLS), "mark", base))
            used += _MARK_CELLS
        for index in range(span.first, span.end):
            label = self._labels[index]
            style = base + self._style("active") if label.active else base
            segments.extend(self._segment(text, part, style) for text, part in cut[index])
            self._places.append((used, used + widths[index], label))
            used += widths[index]
        if hidden_right:
            segments.append(self._segment(f"{hidden_right}›".rjust(_MARK_CELLS), "mark", base))
            used += _MARK_CELLS
        self._plus_at = used
        segments.append(self._segment(_PLUS, "mark", base))
        return segments, used + len(_PLUS)

    def _parts(self, label: TabLabel, title_cells: int) -> list[tuple[str, str]]:
        """The texts of a label, each with the component class that draws it."""
        parts = [
            ("▎" if label.active else " ", "edge" if label.active else ""),
            (f"{label.number} ", "number"),
            (one_line(label.title, title_cells), ""),
        ]
        if label.sign.text:
            parts.append((f" {label.sign.text}", label.sign.kind))
        parts.append((" ", ""))
        return parts

    def _segment(self, text: str, part: str, style: Style) -> Segment:
        return Segment(text, style + self._style(part) if part else style)

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"tab-bar--{part}", partial=True)

    def on_click(self, event: events.Click) -> None:
        for start, end, label in self._places:
            if start <= event.x < end:
                chosen = self.CloseWanted if event.button == 2 else self.Selected
                self.post_message(chosen(label.session))
                return
        if self._plus_at <= event.x < self._plus_at + len(_PLUS) and event.button == 1:
            self.post_message(self.NewWanted())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._select_beside(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._select_beside(-1)

    def _select_beside(self, step: int) -> None:
        active = next((i for i, label in enumerate(self._labels) if label.active), 0)
        if 0 <= active + step < len(self._labels):
            self.post_message(self.Selected(self._labels[active + step].session))
