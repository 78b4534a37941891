"""The files that will go with the message, one line each above the text."""

from __future__ import annotations

from dataclasses import dataclass

from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from gemma_chat.ui.attaching.attached import Attached
from gemma_chat.ui.text import NAME_CELLS, one_line

SIGNS = {"image": "▣", "audio": "♪"}


class AttachmentChip(Static):
    """One file: its name, format and size. A click takes it out."""

    DEFAULT_CSS = """
    AttachmentChip { height: 1; width: 1fr; color: $ink-mark; padding: 0 1; }
    AttachmentChip:hover { background: $boost; }
    """

    @dataclass
    class Removed(Message):
        """A person took the file out."""

        index: int

    def __init__(self, index: int, file: Attached) -> None:
        self._index = index
        name = one_line(file.name, NAME_CELLS)
        super().__init__(Content(f"{SIGNS[file.kind]} {name}  {file.words}  ✕"), markup=False)

    def on_click(self) -> None:
        self.post_message(self.Removed(self._index))


class AttachmentChips(Vertical):
    """All files of the message that is being written."""

    DEFAULT_CSS = """
    AttachmentChips { height: auto; max-height: 4; }
    """

    class Changed(Message):
        """A person took a file out."""

    def __init__(self) -> None:
        super().__init__(id="attachments")
        self.files: tuple[Attached, ...] = ()

    def show(self, files: tuple[Attached, ...]) -> None:
        """Show these."""
        if files == self.files:
            return
        self.files = files
        self.remove_children()
        self.mount_all(AttachmentChip(index, file) for index, file in enumerate(files))

    def add(self, file: Attached) -> None:
        """One more."""
        self.show((*self.files, file))
        self.post_message(self.Changed())

    def take_back(self) -> bool:
        """Take the last one out; False when there is none."""
        if not self.files:
            return False
        self._without(len(self.files) - 1)
        return True

    def on_attachment_chip_removed(self, message: AttachmentChip.Removed) -> None:
        message.stop()
        self._without(message.index)

    def _without(self, index: int) -> None:
        self.show(self.files[:index] + self.files[index + 1 :])
        self.post_message(self.Changed())
