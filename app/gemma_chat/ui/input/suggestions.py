"""The short list above the text: what can be put in the place of what was typed."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gemma_chat.ui.input.completion import Offer, Suggestion
from gemma_chat.ui.text import one_line, padded

_MOST_LABEL_CELLS = 34


class Suggestions(OptionList, can_focus=False):
    """The suggestions of an offer; the first one is marked."""

    DEFAULT_CSS = """
    Suggestions, Suggestions.-textual-compact {
        height: auto;
        max-height: 8;
        border: none;
        padding: 0 1;
        background: transparent;
        scrollbar-size-vertical: 1;
    }
    """

    @dataclass
    class Chosen(Message):
        """A person clicked a suggestion."""

    def __init__(self) -> None:
        super().__init__(compact=True, markup=False)
        self._offer: Offer | None = None

    @property
    def offer(self) -> Offer | None:
        """What is shown."""
        return self._offer

    @property
    def marked(self) -> Suggestion | None:
        """The suggestion that enter or tab takes."""
        if self._offer is None or self.highlighted is None:
            return None
        return self._offer.suggestions[self.highlighted]

    def show(self, offer: Offer) -> None:
        """Show these suggestions."""
        if offer == self._offer:
            return
        kept = self._offer is not None and offer.suggestions == self._offer.suggestions
        self._offer = offer
        if not kept:
            self._fill()

    def move(self, step: int) -> None:
        """Mark the suggestion above or below, around the ends."""
        if step > 0:
            self.action_cursor_down()
        else:
            self.action_cursor_up()

    def on_resize(self, event: events.Resize) -> None:
        if self._offer is not None:
            marked = self.highlighted
            self._fill()
            self.highlighted = marked

    def _fill(self) -> None:
        assert self._offer is not None
        suggestions = self._offer.suggestions
        width = self.content_region.width or self.app.size.width - 4
        longest = max(len(each.label) for each in suggestions)
        beside = min(longest, _MOST_LABEL_CELLS, max(8, width // 2))
        self.clear_options()
        self.add_options(Option(_line(each, beside, width - 3)) for each in suggestions)
        self.highlighted = 0

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.highlighted = message.option_index
        self.post_message(self.Chosen())


def _line(suggestion: Suggestion, beside: int, width: int) -> Content:
    if not suggestion.explanation:
        return Content(one_line(suggestion.label, width))
    room = width - beside - 2
    if room < 10:
        return Content(one_line(suggestion.label, width))
    return Content.assemble(
        padded(suggestion.label, beside),
        "  ",
        (one_line(suggestion.explanation, room), "$ink-quiet"),
    )
