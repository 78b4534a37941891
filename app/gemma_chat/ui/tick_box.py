"""A switch of one row: `[x] name` or `[ ] name`, told apart without colour."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static


class TickBox(Static, can_focus=True):
    """Something that is on or off; space, enter and a click change it."""

    DEFAULT_CSS = """
    TickBox { height: 1; width: 1fr; }
    TickBox:focus { background: $cursor-ground; }
    TickBox:hover { background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "switch", show=False)]

    class Toggled(Message):
        """A person turned it on or off."""

        def __init__(self, box: TickBox) -> None:
            super().__init__()
            self.box = box

        @property
        def control(self) -> TickBox:
            """The box."""
            return self.box

    def __init__(self, label: str, *, id: str, name: str | None = None) -> None:
        super().__init__(id=id, name=name, markup=False)
        self._label = label
        self.value = False
        self.call(label)

    def set(self, *, on: bool) -> None:
        """Show it on or off."""
        if on != self.value:
            self.value = on
            self.update(self._words, layout=False)

    def call(self, label: str) -> None:
        """Show it with another label."""
        self._label = label
        self.update(self._words)

    @property
    def _words(self) -> Content:
        return Content(f"[{'x' if self.value else ' '}] {self._label}")

    def action_switch(self) -> None:
        """Turn it on, or off."""
        self.set(on=not self.value)
        self.post_message(self.Toggled(self))

    def on_click(self) -> None:
        self.action_switch()
