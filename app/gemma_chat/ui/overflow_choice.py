"""The choice of what becomes of a full context, within the settings of a tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from textual.message import Message
from textual.widgets import Select

from gemma_chat.config.sampling import Overflow

EXPLANATIONS: Final[dict[Overflow, tuple[str, str]]] = {
    "summary": (
        "summary of older turns",
        "Older turns are replaced by their summary, prepared before the context is full. Pinned "
        "messages and the last turns stay; the transcript keeps everything.",
    ),
    "drop": (
        "drop older turns",
        "The model no longer sees the oldest turns, and nothing tells it of them.",
    ),
    "stop": (
        "stop",
        "What no longer fits is not answered; the conversation goes on in a new tab.",
    ),
}


class OverflowChoice(Select[Overflow]):
    """A list of what can be done."""

    @dataclass
    class Chosen(Message):
        """Something else was chosen."""

        overflow: Overflow
        explanation: str

    def __init__(self) -> None:
        super().__init__(
            [(label, overflow) for overflow, (label, _) in EXPLANATIONS.items()],
            allow_blank=False,
            compact=True,
            id="setting-overflow",
        )
        self._set: Overflow = "summary"

    def set(self, overflow: Overflow) -> None:
        """Show what holds; posts nothing."""
        self._set = overflow
        if self.is_mounted:
            self._show()

    def on_mount(self) -> None:
        # What is set before shows no words.
        self._show()

    def _show(self) -> None:
        with self.prevent(Select.Changed):
            self.value = self._set

    def on_select_changed(self, message: Select.Changed) -> None:
        message.stop()
        for overflow, (_, explanation) in EXPLANATIONS.items():
            if overflow == message.value != self._set:
                self._set = overflow
                self.post_message(self.Chosen(overflow, explanation))
