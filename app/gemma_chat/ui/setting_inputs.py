"""The inputs of the settings panel: one widget for each row, its label included.

A row of label, input and mark would be four widgets, each with a style and a task of its own: a
panel of them took half a second to open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input, TextArea

LABEL_CELLS = 20
_NOT_UNDERLINED = Style(underline=False)
_MARK = " ↺"
"""Beside a number that is not that of a new tab: a click makes it so again."""


class NumberField(Input):
    """A label and one number; leaving it or enter takes it over."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"number-field--label", "number-field--mark"}
    DEFAULT_CSS = """
    NumberField, NumberField:focus {
        width: 1fr; height: 1; border: none; padding: 0 1 0 21 !important; background: $panel;
    }
    NumberField.-marked, NumberField.-marked:focus { padding: 0 3 0 21 !important; }
    NumberField:focus { background: $cursor-ground; }
    NumberField.-wrong { color: $ink-bad; text-style: underline; }
    NumberField > .number-field--label {
        color: $foreground; background: $surface; text-style: none;
    }
    NumberField > .number-field--mark {
        color: $ink-mark; background: $surface; text-style: none;
    }
    """

    @dataclass
    class MarkClicked(Message):
        """This setting shall be that of a new tab."""

        name: str

    def __init__(self, name: str, label: str, *, marked: bool) -> None:
        """`marked`: with room for the mark of a number that is not that of a new tab."""
        super().__init__(
            compact=True,
            id=f"setting-{name}",
            name=name,
            max_length=40,
            validate_on=(),
            classes="-marked" if marked else None,
        )
        self._label = label
        self._marked = marked
        self._changed = False

    def mark(self, *, changed: bool) -> None:
        """Show whether it is another number than that of a new tab."""
        if changed != self._changed:
            self._changed = changed
            self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self.outer_size.width
        rows = super().render_lines(Region(0, crop.y, width, crop.height))
        return [self._with_label(row, width).crop(crop.x, crop.right) for row in rows]

    def _with_label(self, row: Strip, width: int) -> Strip:
        text = set_cell_size(self._label, LABEL_CELLS)
        label = Strip([Segment(text, self._style_of("number-field--label"))], LABEL_CELLS)
        if not self._marked:
            return Strip.join([label, row.crop(LABEL_CELLS)])
        sign = _MARK if self._changed else " " * len(_MARK)
        mark = Segment(sign, self._style_of("number-field--mark"))
        end = Strip([mark], len(_MARK))
        return Strip.join([label, row.crop(LABEL_CELLS, width - len(_MARK)), end])

    def _style_of(self, part: str) -> Style:
        # A part has the text style of the whole, too: only a wrong number is underlined.
        return self.get_component_rich_style(part) + _NOT_UNDERLINED

    def on_click(self, event: events.Click) -> None:
        if self._changed and event.x >= self.outer_size.width - len(_MARK):
            event.stop()
            self.post_message(self.MarkClicked(self.name or ""))


class TextField(TextArea):
    """The input of one text; leaving it takes it over."""

    def __init__(self, name: str, placeholder: str) -> None:
        super().__init__(
            compact=True,
            id=f"setting-{name}",
            name=name,
            placeholder=placeholder,
            tab_behavior="focus",
            highlight_cursor_line=False,
        )


class PathField(Input):
    """The input of a file's path; leaving it or enter takes it over."""

    def __init__(self, name: str) -> None:
        super().__init__(
            compact=True,
            id=f"setting-{name}",
            name=name,
            max_length=4096,
            placeholder="none",
            validate_on=(),
        )
