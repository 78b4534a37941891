"""The tab bar: one line, one widget, however many tabs there are.

It shows the tabs of one group, that of the active tab, behind the group's name. Without groups
there is no name either. A tab can be dragged to another place in its group.

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

from gemma_chat.host.protocol import TabMark
from gemma_chat.ui.dragging import drop_place
from gemma_chat.ui.signs import Sign, sign_of
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.tab_groups import NO_GROUP, elsewhere, has_groups
from gemma_chat.ui.tab_marks import PINNED, mark_named
from gemma_chat.ui.text import one_line

MAX_TITLE_CELLS = 24
MIN_TITLE_CELLS = 8
_PLUS = " + "
_MARK_CELLS = 4
_GROUP_CELLS = 16


class GroupLabel(msgspec.Struct, frozen=True):
    """What the bar shows of the groups: which one this is, and what goes on in the others."""

    title: str
    sign: Sign = Sign()
    count: int = 0


class TabLabel(msgspec.Struct, frozen=True):
    """What the bar shows of one tab."""

    session: int
    number: int
    title: str
    sign: Sign
    active: bool
    beside: bool = False
    """It is shown too, beside the active one."""
    pinned: bool = False
    mark: TabMark = ""


def group_of(state: TerminalState) -> GroupLabel | None:
    """The label of the group that is shown; `None` as long as there are no groups."""
    if not has_groups(state):
        return None
    others = elsewhere(state)
    title = one_line(state.group or NO_GROUP, _GROUP_CELLS)
    return GroupLabel(title, others.sign, others.count)


def labels_of(state: TerminalState) -> tuple[TabLabel, ...]:
    """The labels of the tabs of the group that is shown, in their order."""
    group = state.group
    return tuple(
        TabLabel(
            session=tab.session,
            number=number,
            title=one_line(tab.title, MAX_TITLE_CELLS),
            sign=sign_of(state, tab),
            active=tab.session == state.active,
            beside=tab.session != state.active and tab.session in state.visible,
            pinned=tab.view.pinned,
            mark=tab.view.mark,
        )
        for number, tab in enumerate(state.tabs, 1)
        if tab.view.group == group
    )


class Span(msgspec.Struct, frozen=True):
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
    TabBar > .tab-bar--group { color: $ink-title; text-style: bold; }
    TabBar > .tab-bar--pinned { color: $ink-mark; }
    TabBar > .tab-bar--dragged { background: $primary 40%; color: $foreground; }
    TabBar > .tab-bar--diamond { color: $ink-bad; }
    TabBar > .tab-bar--triangle { color: $ink-wait; }
    TabBar > .tab-bar--square { color: $ink-good; }
    TabBar > .tab-bar--star { color: $ink-mark; }
    TabBar > .tab-bar--note { color: $ink-title; }
    TabBar > .tab-bar--cross { color: $foreground; }
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
        "tab-bar--group",
        "tab-bar--pinned",
        "tab-bar--dragged",
        "tab-bar--diamond",
        "tab-bar--triangle",
        "tab-bar--square",
        "tab-bar--star",
        "tab-bar--note",
        "tab-bar--cross",
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

    @dataclass
    class MenuWanted(Message):
        """A person clicked a tab with the right button."""

        session: int

    @dataclass
    class Dropped(Message):
        """A person dragged a tab to a place of the bar, from 0."""

        session: int
        place: int

    class NewWanted(Message):
        """A person clicked the `+`."""

    class GroupsWanted(Message):
        """A person clicked the name of the group."""

    def __init__(self) -> None:
        super().__init__(id="tab-bar")
        self._labels: tuple[TabLabel, ...] = ()
        self._group: GroupLabel | None = None
        self._first = 0
        self._group_end = 0
        self._grabbed = 0
        """The session whose label is held by the mouse; 0 while none is."""
        self._grabbed_at = 0
        """The cell of the label by which it is held."""
        self._dropping: int | None = None
        """Where among the labels the grabbed one would stand."""
        self._was_dragged = False
        self._places: list[tuple[int, int, TabLabel]] = []
        """Start and end cell of every visible label."""
        self._plus_at = 0

    def show(self, labels: tuple[TabLabel, ...], group: GroupLabel | None = None) -> None:
        """Draw these labels; nothing happens when they are the ones already shown."""
        if labels != self._labels or group != self._group:
            self._labels = labels
            self._group = group
            self.refresh()

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y:
            return Strip.blank(self.size.width, base)
        segments, used = self._draw(self.size.width, base)
        segments.append(Segment(" " * max(0, self.size.width - used), base))
        # Neighbours of one style go out as one: fewer bytes.
        return Strip(segments).simplify().crop(0, self.size.width)

    def _draw(self, width: int, base: Style) -> tuple[list[Segment], int]:
        title_cells = max(MIN_TITLE_CELLS, min(MAX_TITLE_CELLS, width // 3))
        labels = self._as_dragged()
        cut = [self._parts(label, title_cells) for label in labels]
        widths = [sum(cell_len(text) for text, _ in parts) for parts in cut]
        active = next((i for i, label in enumerate(labels) if label.active), 0)
        segments = [self._segment(text, part, base) for text, part in self._group_parts()]
        used = self._group_end = sum(cell_len(segment.text) for segment in segments)
        span = visible_span(widths, active, self._first, width - used - len(_PLUS))
        self._first = span.first
        hidden_left, hidden_right = span.first, len(cut) - span.end
        self._places.clear()
        if hidden_left:
            segments.append(self._segment(f"‹{hidden_left}".ljust(_MARK_CELLS), "mark", base))
            used += _MARK_CELLS
        for index in range(span.first, span.end):
            label = labels[index]
            style = base + self._style("active") if label.active else base
            if label.session == self._grabbed and self._dropping is not None:
                style = base + self._style("dragged")
            segments.extend(self._segment(text, part, style) for text, part in cut[index])
            self._places.append((used, used + widths[index], label))
            used += widths[index]
        if hidden_right:
            segments.append(self._segment(f"{hidden_right}›".rjust(_MARK_CELLS), "mark", base))
            used += _MARK_CELLS
        self._plus_at = used
        segments.append(self._segment(_PLUS, "mark", base))
        return segments, used + len(_PLUS)

    def _group_parts(self) -> list[tuple[str, str]]:
        group = self._group
        if group is None:
            return []
        parts = [(f" {group.title} ▾", "group")]
        if group.count:
            parts.append((f" {group.sign.text}{group.count}", group.sign.kind))
        parts.append((" │ ", "mark"))
        return parts

    def _parts(self, label: TabLabel, title_cells: int) -> list[tuple[str, str]]:
        """The texts of a label, each with the component class that draws it."""
        parts = [
            ("▎" if label.active or label.beside else " ", "edge" if label.active else "mark"),
            (f"{label.number} ", "number"),
        ]
        if label.pinned:
            parts.append((PINNED, "pinned"))
        if (mark := mark_named(label.mark)) is not None:
            parts.append((mark.sign, mark.name))
        if len(parts) > 2:
            parts.append((" ", ""))
        parts.append((one_line(label.title, title_cells), ""))
        if label.sign.text:
            parts.append((f" {label.sign.text}", label.sign.kind))
        parts.append((" ", ""))
        return parts

    def _segment(self, text: str, part: str, style: Style) -> Segment:
        return Segment(text, style + self._style(part) if part else style)

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"tab-bar--{part}", partial=True)

    # ------------------------------------------------------------ mouse

    def _label_at(self, x: int) -> TabLabel | None:
        return next((label for start, end, label in self._places if start <= x < end), None)

    def on_click(self, event: events.Click) -> None:
        label = self._label_at(event.x)
        if label is not None:
            # The left button has shown the tab already, or dragged it.
            if event.button == 2:
                self.post_message(self.CloseWanted(label.session))
            elif event.button == 3:
                self.post_message(self.MenuWanted(label.session))
        elif event.button != 1 or self._was_dragged:
            return
        elif event.x < self._group_end:
            self.post_message(self.GroupsWanted())
        elif self._plus_at <= event.x < self._plus_at + len(_PLUS):
            self.post_message(self.NewWanted())

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._was_dragged = False
        if event.button != 1:
            return
        for start, end, label in self._places:
            if start <= event.x < end:
                self._grabbed, self._grabbed_at = label.session, event.x - start
                self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        under = self._label_at(event.x)
        order = [label.session for label in self._labels]
        if self._grabbed not in order:
            return
        if self._dropping is None and under is not None and under.session == self._grabbed:
            return
        places = [(start, end, label.session) for start, end, label in self._places]
        edge = event.x - self._grabbed_at
        dropping = drop_place(order, self._free(), places, self._grabbed, edge)
        if dropping != self._dropping:
            self._dropping = dropping
            self.refresh()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        grabbed, dropping = self._grabbed, self._dropping
        self._grabbed, self._dropping = 0, None
        self.release_mouse()
        if not grabbed:
            return
        if dropping is None:
            self.post_message(self.Selected(grabbed))
            return
        self._was_dragged = True
        self.refresh()
        before = next((label.number - 1 for label in self._labels if label.session == grabbed), -1)
        place = self._labels[0].number - 1 + dropping if self._labels else -1
        if -1 not in (before, place) and before != place:
            self.post_message(self.Dropped(grabbed, place))

    def _free(self) -> range:
        """The places among the labels to which the grabbed one can go: those of its kind."""
        pinned = next(label.pinned for label in self._labels if label.session == self._grabbed)
        alike = [n for n, label in enumerate(self._labels) if label.pinned == pinned]
        return range(alike[0], alike[-1] + 1)

    def _as_dragged(self) -> tuple[TabLabel, ...]:
        """The labels as they would stand if the one that is dragged were dropped now."""
        grabbed = [label for label in self._labels if label.session == self._grabbed]
        if not grabbed or self._dropping is None:
            return self._labels
        others = [label for label in self._labels if label.session != self._grabbed]
        return (*others[: self._dropping], *grabbed, *others[self._dropping :])

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._select_beside(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._select_beside(-1)

    def _select_beside(self, step: int) -> None:
        active = next((i for i, label in enumerate(self._labels) if label.active), 0)
        if 0 <= active + step < len(self._labels):
            self.post_message(self.Selected(self._labels[active + step].session))
