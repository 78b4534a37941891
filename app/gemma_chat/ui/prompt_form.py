"""The small form in which the blanks of a prompt are filled in."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, Input, Label, TextArea

from gemma_chat.config.prompts import INPUT, Prompt
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.drafts import FOLD_CHARACTERS
from gemma_chat.ui.text import NOTICE_CELLS, one_line


class PromptForm(Dialog[str]):
    """Answers with the message, its blanks filled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "finish", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    PromptForm DialogBox { width: 76; }
    PromptForm VerticalScroll { height: auto; max-height: 20; scrollbar-size-vertical: 1; }
    PromptForm.-low VerticalScroll { max-height: 6; }
    PromptForm Label { color: $ink-title; }
    PromptForm Input, PromptForm Input:focus, PromptForm TextArea, PromptForm TextArea:focus {
        border: none; height: 1; padding: 0 1; margin-bottom: 1; background: $panel;
    }
    PromptForm Input:focus, PromptForm TextArea:focus { background: $cursor-ground; }
    PromptForm TextArea, PromptForm TextArea:focus { height: auto; min-height: 1; max-height: 6; }
    PromptForm.-low Input, PromptForm.-low TextArea { margin-bottom: 0; }
    """

    def __init__(self, prompt: Prompt, typed: str) -> None:
        """`typed` is what stands in the input."""
        super().__init__()
        self._prompt = prompt
        self._typed = typed[:FOLD_CHARACTERS]
        self._fields: dict[str, Input | TextArea] = {}

    def compose(self) -> ComposeResult:
        title = one_line(f"Prompt · {self._prompt.name}", NOTICE_CELLS)
        with DialogBox(title, "enter next · ctrl+s done · esc closes"):
            with VerticalScroll(can_focus=False):
                for blank in self._prompt.blanks:
                    yield Label(blank.name, markup=False)
                    yield self._field(blank.name, blank.default)
            yield Button("Put into the input", compact=True)

    def _field(self, name: str, default: str) -> Input | TextArea:
        if name == INPUT:
            field: Input | TextArea = TextArea(
                self._typed, compact=True, tab_behavior="focus", highlight_cursor_line=False
            )
        else:
            field = Input(placeholder=default, compact=True, max_length=2_000)
        self._fields[name] = field
        return field

    def on_mount(self) -> None:
        first = [f for f in self._fields.values() if not (isinstance(f, TextArea) and f.text)]
        if first:
            first[0].focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        fields = list(self._fields.values())
        later = fields[fields.index(message.input) + 1 :]
        empty = [field for field in later if isinstance(field, Input) or not field.text]
        if empty:
            empty[0].focus()
        else:
            self.action_finish()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.action_finish()

    def action_finish(self) -> None:
        """Close with what is filled in."""
        values = {
            name: field.value if isinstance(field, Input) else field.text
            for name, field in self._fields.items()
        }
        self.dismiss(self._prompt.filled(values))
