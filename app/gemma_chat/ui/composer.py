"""The input box: grows to ten lines, sends on enter, folds large pastes, keeps drafts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static, TextArea

from gemma_chat.ui.attaching.attached import dropped_paths
from gemma_chat.ui.attaching.chips import AttachmentChips
from gemma_chat.ui.bindings import bindings_of
from gemma_chat.ui.drafts import FOLD_CHARACTERS, Draft
from gemma_chat.ui.keys import MODIFIED_ENTER
from gemma_chat.ui.text import one_line

SAVE_AFTER = 0.5
"""Seconds of rest after which what was typed is kept by the host."""


class PasteChip(Static):
    """One folded paste: its size and its beginning. A click takes it out."""

    DEFAULT_CSS = """
    PasteChip { height: 1; width: 1fr; color: $ink-mark; padding: 0 1; }
    PasteChip:hover { background: $boost; }
    """

    @dataclass
    class Removed(Message):
        """A person took the paste out."""

        index: int

    def __init__(self, index: int, paste: str) -> None:
        self._index = index
        lines = paste.count("\n") + 1
        size = f"{len(paste):,} characters, {lines:,} lines"
        beginning = one_line(paste[:200].strip(), 30)
        super().__init__(Content(f"▤ pasted {size}  {beginning}  ✕"), markup=False)

    def on_click(self) -> None:
        self.post_message(self.Removed(self._index))


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

    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of("input", "press")]

    class SendWanted(Message):
        """Enter was pressed on text that is complete."""

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

    def action_press(self, action: str) -> None:
        """Do what a key of the table means in the input."""
        match action:
            case "message.send":
                self._enter()
            case "message.new_line":
                self.insert("\n")
            case _:
                self.post_message(self.Pressed(action))

    def _enter(self) -> None:
        row, column = self.selection.end
        line = self.document[row]
        if self.selection.is_empty and column == len(line) and line.endswith("\\"):
            self.replace("\n", (row, column - 1), (row, column))
        else:
            self.post_message(self.SendWanted())

    async def _on_key(self, event: events.Key) -> None:
        if event.key in MODIFIED_ENTER:
            event.stop()
            event.prevent_default()
            self.insert("\n")
            return
        if event.key == "backspace" and self.selection.is_empty and self.selection.end == (0, 0):
            self.post_message(self.TakeBackPaste())
        await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if paths := dropped_paths(event.text):
            self.post_message(self.Dropped(event.text, paths))
        elif len(event.text) > FOLD_CHARACTERS:
            self.post_message(self.LargePaste(event.text))
        else:
            await super()._on_paste(event)


class Composer(Vertical):
    """The input box with its folded pastes and its line of advice."""

    DEFAULT_CSS = """
    Composer {
        height: auto;
        border: round $foreground 20%;
        border-title-color: $ink-quiet;
        border-subtitle-color: $ink-quiet;
    }
    Composer:focus-within { border: round $primary; }
    Composer #chips { height: auto; max-height: 3; }
    """

    @dataclass
    class Sent(Message):
        """A person sends this; the input is empty now."""

        draft: Draft

    @dataclass
    class Changed(Message):
        """A person rested after typing: what stands there now is worth keeping."""

        draft: Draft

    @dataclass
    class Refused(Message):
        """The message cannot be sent; it still stands in the input."""

        sentence: str

    def __init__(self) -> None:
        super().__init__(id="composer")
        self.editor = Editor(
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder="Message",
            tab_behavior="focus",
            compact=True,
        )
        self._chips = Vertical(id="chips")
        self.attachments = AttachmentChips()
        self._pastes: tuple[str, ...] = ()
        self._saving: Timer | None = None
        self._explained = ""

    def compose(self) -> ComposeResult:
        yield self.attachments
        yield self._chips
        yield self.editor

    def on_mount(self) -> None:
        self.border_subtitle = "enter sends · ctrl+j new line"

    @property
    def draft(self) -> Draft:
        """What stands in the input."""
        return Draft(self.editor.text, self._pastes, self.attachments.files)

    def load(self, draft: Draft) -> None:
        """Put this into the input in place of what is there."""
        self._stop_saving()
        if draft.text != self.editor.text:
            self.editor.load_text(draft.text)
            self.editor.move_cursor(self.editor.document.end)
        self._set_pastes(draft.pastes)
        self.attachments.show(draft.attachments)

    def explain(self, title: str) -> None:
        """A short line on the upper edge, above the text; empty takes it away."""
        if title != self._explained:
            self._explained = title
            self.border_title = Content(title)

    def _set_pastes(self, pastes: tuple[str, ...]) -> None:
        if pastes == self._pastes:
            return
        self._pastes = pastes
        self._chips.remove_children()
        self._chips.mount_all(PasteChip(index, paste) for index, paste in enumerate(pastes))

    # ------------------------------------------------------------ what the person does

    def on_editor_send_wanted(self, message: Editor.SendWanted) -> None:
        message.stop()
        draft = self.draft
        if draft.empty:
            return
        if draft.too_long:
            self.post_message(self.Refused(draft.too_long))
            return
        self.post_message(self.Sent(draft))

    def on_editor_large_paste(self, message: Editor.LargePaste) -> None:
        message.stop()
        self._change_pastes(self.draft.with_paste(message.text))

    def on_paste_chip_removed(self, message: PasteChip.Removed) -> None:
        message.stop()
        self._change_pastes(self.draft.without_paste(message.index))

    def on_editor_take_back_paste(self, message: Editor.TakeBackPaste) -> None:
        message.stop()
        if self._pastes:
            self._change_pastes(self.draft.without_paste(len(self._pastes) - 1))
        else:
            self.attachments.take_back()

    def on_attachment_chips_changed(self, message: AttachmentChips.Changed) -> None:
        message.stop()
        self._save()

    def _change_pastes(self, draft: Draft) -> None:
        self._set_pastes(draft.pastes)
        self._save_later()

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        message.stop()
        self._save_later()

    # ------------------------------------------------------------ keeping the draft

    def _save_later(self) -> None:
        self._stop_saving()
        self._saving = self.set_timer(SAVE_AFTER, self._save)

    def _stop_saving(self) -> None:
        if self._saving is not None:
            self._saving.stop()
            self._saving = None

    def _save(self) -> None:
        self._saving = None
        self.post_message(self.Changed(self.draft))
