"""The base of dialogs in which one of many things is found by a few letters."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList

from gemma_chat.ui.dialog import Dialog, ResultT


class FindDialog(Dialog[ResultT], Generic[ResultT]):
    """A field that keeps the keyboard, and a list of what fits the letters in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("down", "move(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    FindDialog Input, FindDialog Input:focus { border: none; height: 1; padding: 0; }
    """

    def __init__(self, found: OptionList) -> None:
        """`found` is the list, which `compose` yields below the field."""
        super().__init__()
        self._list = found
        self._list.can_focus = False

    @abstractmethod
    def fill(self, typed: str) -> None:
        """List what fits the letters, which have no white space at their ends."""

    @abstractmethod
    def choose(self, place: int) -> None:
        """Close with what stands at this place of the list."""

    def on_mount(self) -> None:
        self.fill(self.query_one(Input).value.strip())

    def on_input_changed(self, message: Input.Changed) -> None:
        self.fill(message.value.strip())

    def on_input_submitted(self) -> None:
        if self._list.highlighted is not None:
            self.choose(self._list.highlighted)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.choose(message.option_index)

    def action_move(self, step: int) -> None:
        """Mark what stands above or below."""
        if step > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()
