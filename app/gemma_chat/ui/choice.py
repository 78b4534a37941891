"""A dialog with a few things to choose from, one a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from gemma_chat.ui.actions import key_name
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.text import LINE_CELLS, one_line, padded


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: its id, what it is, more about it, and the key that takes it at once."""

    id: str
    label: str
    about: str = ""
    key: str = ""


class ChoiceDialog(Dialog[str]):
    """Answers with the id of the chosen thing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "give_up", show=False)]
    DEFAULT_CSS = """
    ChoiceDialog DialogBox { width: 72; }
    ChoiceDialog OptionList, ChoiceDialog OptionList:focus {
        height: auto; max-height: 100%; border: none; padding: 0; background: transparent;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    ChoiceDialog.-low DialogBox { max-height: 100%; }
    """

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        advice: str = "esc closes",
        *,
        at_once: Callable[[str], None] | None = None,
    ) -> None:
        """`at_once` is called with the id of what is chosen, before the dialog closes.

        What is asked of the host then need not wait until the window is drawn again.
        """
        super().__init__()
        self._at_once = at_once
        self._title = one_line(title, 50)
        self._advice = advice
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        column = max((cell_len(choice.label) for choice in self._choices), default=0)
        keys = max((len(key_name(choice.key)) for choice in self._choices), default=0)
        with DialogBox(self._title, self._advice):
            yield OptionList(
                *(Option(_line(choice, column, keys), id=choice.id) for choice in self._choices),
                compact=True,
            )

    def on_key(self, event: events.Key) -> None:
        chosen = next((one for one in self._choices if one.key and one.key == event.key), None)
        if chosen is not None:
            event.stop()
            event.prevent_default()
            self._choose(chosen.id)

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self._choose(message.option.id)

    def _choose(self, id_: str | None) -> None:
        if self._at_once is not None and id_ is not None:
            self._at_once(id_)
        self.dismiss(id_)


def _line(choice: Choice, column: int, keys: int) -> Content:
    parts = [Content.styled(f"{key_name(choice.key):>{keys}}  ", "$ink-mark")] if keys else []
    parts.append(Content(padded(choice.label, column) if choice.about else choice.label))
    if choice.about:
        parts.append(Content.styled(f"  {one_line(choice.about, LINE_CELLS)}", "$ink-quiet"))
    return Content.assemble(*parts)
