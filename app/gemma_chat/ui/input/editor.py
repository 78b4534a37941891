"""The text of the message: keys, pastes, undo, and vi's modes where they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from gemma_chat.ui.attaching.attached import dropped_paths
from gemma_chat.ui.drafts import FOLD_CHARACTERS
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.keys import MODIFIED_ENTER

if TYPE_CHECKING:
    from textual.widgets.text_area import Edit, EditResult

    from gemma_chat.ui.input.vi.machine import Outcome, ViMachine


class Editor(TextArea):
    """The text of the message."""

    DEFAULT_CSS = """
    Editor, Editor:focus {
        height: auto;
        min-height: 1;
        max-height: 10;
        border: none;
        padding: 0 1;
        background: transparent;
        scrollbar-size-vertical: 1;
    }
    """

    class TakeBackPaste(Message):
        """Backspace was pressed where there is nothing before the cursor."""

    @dataclass
    class LargePaste(Message):
        """A paste too large for the editor."""

        text: str

    @dataclass
    class Dropped(Message):
        """A paste that names images or recordings and nothing else."""

        text: str
        paths: tuple[Path, ...]

    @dataclass
    class Pressed(Message):
        """A key for another part of the screen was pressed while typing."""

        action: str

    @dataclass
    class Choose(Message):
        """The suggestion above (-1) or below (1) is to be marked."""

        step: int

    @dataclass
    class Take(Message):
        """The marked suggestion is to be taken; by enter, or by tab."""

        by_enter: bool

    @dataclass
    class Recall(Message):
        """An older (-1) or newer (1) sent message is to come back."""

        step: int

    class ModeChanged(Message):
        """vi's mode is another one now."""

    def __init__(self, send: Callable[[], None]) -> None:
        """`send` is called when enter is pressed on text that is complete.

        Not told by a message: the letters typed behind that enter may be waiting already, and
        belong to the next text.
        """
        super().__init__(
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Message",
            tab_behavior="focus",
            compact=True,
        )
        self._send = send
        self.choosing = False
        """Suggestions are shown: up, down, tab and enter are theirs."""
        self._vi: ViMachine | None = None
        self._actions = DEFAULT_KEYS.input_keys

    # ------------------------------------------------------------ keys of the table

    def use_keymap(self, keymap: Keymap) -> None:
        """From now on these keys hold."""
        self._actions = keymap.input_keys

    def action_press(self, action: str) -> None:
        """Do what a key of the table means in the input."""
        match action:
            case "message.send":
                self._enter()
            case "message.new_line":
                self.insert("\n")
            case "input.undo":
                self.undo()
            case "input.redo":
                self.redo()
            case "input.history" if self._commanding:
                # ctrl+r is vi's redo where vi's keys hold.
                self._press_vi("ctrl+r")
            case _:
                self.post_message(self.Pressed(action))

    def _enter(self) -> None:
        row, column = self.selection.end
        line = self.document[row]
        if self.choosing:
            self.post_message(self.Take(by_enter=True))
        elif self.selection.is_empty and column == len(line) and line.endswith("\\"):
            self.replace("\n", (row, column - 1), (row, column))
        else:
            self._send()

    def action_cursor_up(self, select: bool = False) -> None:
        if self.choosing:
            self.post_message(self.Choose(-1))
        elif not select and self.navigator.is_first_wrapped_line(self.cursor_location):
            self.post_message(self.Recall(-1))
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        if self.choosing:
            self.post_message(self.Choose(1))
        elif not select and self.navigator.is_last_wrapped_line(self.cursor_location):
            self.post_message(self.Recall(1))
        else:
            super().action_cursor_down(select)

    async def _on_key(self, event: events.Key) -> None:
        # Keys that come in a bundle, as over a slow line, must act in their order. Textual would
        # carry out bindings later, or with priority sooner, than the letters beside them.
        if action := self._actions.get(MODIFIED_ENTER.get(event.key, event.key)):
            _consume(event)
            self.action_press(action)
            return
        if self.choosing and event.key == "tab":
            _consume(event)
            self.post_message(self.Take(by_enter=False))
            return
        if self._commanding and not event.key.startswith(("f", "ctrl+", "alt+")):
            _consume(event)
            self._press_vi(event.character if event.is_printable else event.key)
            return
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            _consume(event)
            await self.app.run_action(binding.action, self)
            return
        await super()._on_key(event)

    def edit(self, edit: Edit) -> EditResult:
        result = super().edit(edit)
        # Textual scrolls to the cursor before the text, and the input, have their new height.
        self.call_after_refresh(self.scroll_cursor_visible)
        return result

    def action_delete_left(self) -> None:
        if self.selection.is_empty and self.selection.end == (0, 0):
            self.post_message(self.TakeBackPaste())
        super().action_delete_left()

    async def _on_paste(self, event: events.Paste) -> None:
        _consume(event)
        # A terminal sends the line ends of a paste as carriage returns.
        text = event.text.replace("\r\n", "\n").replace("\r", "\n")
        if paths := dropped_paths(text):
            self.post_message(self.Dropped(text, paths))
            return
        if len(text) > FOLD_CHARACTERS:
            self.post_message(self.LargePaste(text))
            return
        self.history.checkpoint()
        if done := self._replace_via_keyboard(text, *self.selection):
            self.move_cursor(done.end_location)

    # ------------------------------------------------------------ text as one string

    @property
    def cursor(self) -> int:
        """The cursor's place in the text."""
        return self._offset(self.cursor_location)

    def put(self, text: str, cursor: int | None = None) -> None:
        """Put this in the place of all text, so that one undo takes it back."""
        self.change(0, len(self.text), text)
        self.move_to(len(text) if cursor is None else cursor)

    def change(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of the characters from `start` to `end`, as one undo's step."""
        self.history.checkpoint()
        self.replace(
            text, self._location(start), self._location(end), maintain_selection_offset=False
        )
        self.history.checkpoint()

    def move_to(self, cursor: int) -> None:
        """Put the cursor at a place of the text."""
        self.move_cursor(self._location(cursor))

    def _offset(self, location: tuple[int, int]) -> int:
        row, column = location
        return sum(len(line) + 1 for line in self._lines(row)) + column

    def _location(self, offset: int) -> tuple[int, int]:
        offset = max(0, offset)
        for row in range(self.document.line_count):
            length = len(self.document[row])
            if offset <= length:
                return row, offset
            offset -= length + 1
        return self.document.end

    def _lines(self, count: int) -> Iterable[str]:
        return (self.document[row] for row in range(count))

    # ------------------------------------------------------------ vi

    @property
    def vi_mode(self) -> str:
        """The mode of vi's keys, and what is pending; empty without them."""
        if self._vi is None:
            return ""
        return f"{self._vi.mode} {self._vi.pending}".strip()

    def set_vi(self, *, on: bool) -> None:
        """Let vi's keys hold, or not; they begin in insert mode."""
        if on == (self._vi is not None):
            return
        self._vi = None
        if on:
            from gemma_chat.ui.input.vi.machine import ViMachine

            self._vi = ViMachine()
        self.post_message(self.ModeChanged())

    def begin_typing(self) -> None:
        """Another message is written from here on."""
        if self._vi is not None and self._vi.mode != "insert":
            self._vi.begin()
            self.post_message(self.ModeChanged())

    def take_escape(self) -> bool:
        """Whether vi had something to do with the escape key."""
        if self._vi is None or not self._vi.busy:
            return False
        self._press_vi("escape")
        return True

    @property
    def _commanding(self) -> bool:
        return self._vi is not None and self._vi.mode != "insert"

    def _press_vi(self, key: str | None) -> None:
        vi = self._vi
        if vi is None or key is None:
            return
        before = self.vi_mode
        text = self.text
        at = self.cursor
        outcome = vi.press(key, text, at)
        self._follow(outcome)
        if vi.mode in ("visual", "visual line"):
            self._show_selected(vi)
        if self.vi_mode != before:
            self.post_message(self.ModeChanged())

    def _follow(self, outcome: Outcome) -> None:
        match outcome.beside:
            case "undo":
                self.undo()
                return
            case "redo":
                self.redo()
                return
        if outcome.start is not None:
            self.change(outcome.start, outcome.end, outcome.text)
        self.move_to(outcome.cursor)

    def _show_selected(self, vi: ViMachine) -> None:
        cursor = self.cursor
        start, end = vi.selected(self.text, cursor)
        # The cursor is one end of Textual's selection, as it is one of vi's.
        edges = (start, end - 1) if cursor >= vi.anchor else (end, start)
        if vi.mode == "visual":
            edges = (start, cursor) if cursor >= vi.anchor else (end, cursor)
        self.selection = type(self.selection)(*map(self._location, edges))


def _consume(event: events.Event) -> None:
    event.stop()
    event.prevent_default()
