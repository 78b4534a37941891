"""The list of the history: a click marks or shows, a double click opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gemma_chat.host.protocol import ConversationView
from gemma_chat.ui.history.drawing import MARK_CELLS, line_of

_NEAR_END = 10
"""Lines before the end at which more is wanted."""


class ConversationList(OptionList):
    """Conversations, one a line. The keyboard stays in the field above it."""

    DEFAULT_CSS = """
    ConversationList, ConversationList:focus {
        width: 1fr; height: 1fr; border: none; padding: 0; background: transparent;
        scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        text-wrap: nowrap; text-overflow: clip;
    }
    ConversationList > .option-list--option { padding: 0; }
    """

    @dataclass
    class MarkClicked(Message):
        """The mark of this line was clicked."""

        line: int

    class MoreWanted(Message):
        """The reader is near the end."""

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self.can_focus = False

    @property
    def cells(self) -> int:
        """The width of a line."""
        return max(10, self.scrollable_content_region.width)

    def fill(self, views: Sequence[ConversationView], marked: set[int], now: float) -> None:
        """Show these and nothing else; the line that had the cursor keeps its place."""
        place = self.highlighted or 0
        self.clear_options()
        self.add(views, marked, now)
        self.highlighted = min(place, len(views) - 1) if views else None

    def add(self, views: Sequence[ConversationView], marked: set[int], now: float) -> None:
        """Show these behind the others."""
        self.add_options(
            Option(line_of(view, marked=view.session in marked, now=now, cells=self.cells))
            for view in views
        )

    def draw(self, line: int, view: ConversationView, *, marked: bool, now: float) -> None:
        """Draw one line anew."""
        prompt = line_of(view, marked=marked, now=now, cells=self.cells)
        self.replace_option_prompt_at_index(line, prompt)

    def move(self, lines: int) -> None:
        """Move the cursor, down or (less than 0) up, not beyond the ends."""
        if self.option_count:
            wanted = (self.highlighted or 0) + lines
            self.highlighted = max(0, min(wanted, self.option_count - 1))

    @property
    def page_lines(self) -> int:
        """How far a page goes."""
        return max(1, self.size.height - 1)

    def say(self, sentence: str) -> None:
        """Show a sentence in the place of conversations."""
        self.clear_options()
        self.add_option(Option(Content.styled(sentence, "$ink-quiet"), disabled=True))

    def on_click(self, event: events.Click) -> None:
        # In the place of the list's own answer, which opens with one click.
        event.prevent_default()
        line: int | None = event.style.meta.get("option")
        if line is None or self.get_option_at_index(line).disabled:
            return
        self.highlighted = line
        if event.x < MARK_CELLS:
            self.post_message(self.MarkClicked(line))
        elif event.chain > 1:
            self.action_select()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value > old_value and new_value >= self.max_scroll_y - _NEAR_END:
            self.post_message(self.MoreWanted())
