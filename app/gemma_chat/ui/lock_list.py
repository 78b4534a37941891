"""The entries of the generation lock in a list: keys and clicks move, end and go to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gemma_chat.host.protocol import LockEntry
from gemma_chat.ui.lock_lines import WISH, Line, Wish, lines_of
from gemma_chat.ui.state import TerminalState


class LockList(OptionList):
    """One option for each entry; headings and remarks between them cannot be chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+up,u", "wish('sooner')", show=False),
        Binding("ctrl+down,d", "wish('later')", show=False),
        Binding("delete,x", "wish('cancel')", show=False),
    ]
    DEFAULT_CSS = """
    LockList, LockList:focus {
        height: 1fr; border: none; padding: 0 1; background: transparent;
        scrollbar-size-vertical: 1; text-wrap: nowrap; text-overflow: clip;
    }
    LockList > .option-list--option { padding: 0; }
    LockList > .option-list--option-disabled { color: $foreground; }
    """

    @dataclass
    class Wanted(Message):
        """A person wants this of an entry."""

        wish: Wish
        entry: LockEntry

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self._shown: tuple[Line, ...] = ()
        self._state: TerminalState | None = None

    def show(self, state: TerminalState) -> None:
        """Draw the state; the cursor stays on its entry when that moves."""
        self._state = state
        lines = lines_of(state, self._cells)
        if lines == self._shown:
            return
        same_places = [line.key for line in lines] == [line.key for line in self._shown]
        chosen = None if self._chosen is None else self._chosen.key
        before, self._shown = self._shown, lines
        if same_places:
            for place, (old, new) in enumerate(zip(before, lines, strict=True)):
                if old != new:
                    self.replace_option_prompt_at_index(place, new.content)
            return
        scrolled = self.scroll_y
        self.clear_options()
        self.add_options(Option(line.content, disabled=line.entry is None) for line in lines)
        self.highlighted = next(
            (place for place, line in enumerate(lines) if line.entry and line.key == chosen),
            next((place for place, line in enumerate(lines) if line.entry), None),
        )
        self.scroll_to(y=scrolled, animate=False)

    @property
    def _chosen(self) -> Line | None:
        place = self.highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    @property
    def _cells(self) -> int:
        return max(12, self.scrollable_content_region.width)

    def on_resize(self) -> None:
        if self._state is not None:
            self.show(self._state)

    def action_wish(self, wish: Wish) -> None:
        """Want this of the entry under the cursor."""
        line = self._chosen
        if line is not None and line.entry is not None:
            self.post_message(self.Wanted(wish, line.entry))

    def action_select(self) -> None:
        """Go to the tab of the entry under the cursor."""
        self.action_wish("go")

    def on_click(self, event: events.Click) -> None:
        # In the place of the list's own answer, which knows one meaning of a click only.
        event.prevent_default()
        place: int | None = event.style.meta.get("option")
        line = None if place is None or place >= len(self._shown) else self._shown[place]
        if line is None or line.entry is None:
            return
        self.highlighted = place
        self.post_message(self.Wanted(event.style.meta.get(WISH, "go"), line.entry))
