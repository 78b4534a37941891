"""A line of things to click, which keys do as well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static


def offer(key: str, words: str) -> Content:
    """Something to do, with its key before it when it has one."""
    shown = f"{key} " if key else ""
    return Content.assemble(Content.styled(shown, "$ink-mark"), Content.styled(words, "$ink-quiet"))


class Offers(Static):
    """Several things to do beside each other, in as many lines as they need."""

    @dataclass
    class Pressed(Message):
        """This one was clicked."""

        id: str

    def __init__(self) -> None:
        super().__init__(markup=False)

    def show(self, offers: Iterable[tuple[str, Content]], cells: int, *, gap: int = 2) -> None:
        """Show these, each an id with what stands for it; none is broken at the line's end."""
        lines: list[list[Content]] = [[]]
        used = 0
        for id_, offer in offers:
            if used and used + offer.cell_length > cells:
                lines.append([])
                used = 0
            lines[-1].append(offer.stylize(Style.from_meta({"offer": id_})))
            used += offer.cell_length + gap
        self.update(Content("\n").join(Content(" " * gap).join(line) for line in lines))

    def on_click(self, event: events.Click) -> None:
        id_ = event.style.meta.get("offer")
        if id_ is not None:
            self.post_message(self.Pressed(id_))
