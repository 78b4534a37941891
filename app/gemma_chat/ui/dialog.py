"""The base of what stands before the window for a moment: help, jump list, rename, themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from gemma_chat.ui.calm_screen import OpeningScreen
from gemma_chat.ui.sizes import mark_size

if TYPE_CHECKING:
    from gemma_chat.ui.state import TerminalState

ResultT = TypeVar("ResultT")


class DialogBox(Vertical):
    """The frame of a dialog."""

    DEFAULT_CSS = """
    DialogBox {
        width: 60;
        max-width: 100%;
        height: auto;
        max-height: 90%;
        padding: 0 1;
        border: round $primary;
        border-title-color: $ink-title;
        border-subtitle-color: $ink-quiet;
        background: $surface;
    }
    """

    def __init__(self, title: str, advice: str) -> None:
        super().__init__()
        self.border_title = title
        self.border_subtitle = advice


class Dialog(ModalScreen[ResultT | None], OpeningScreen[ResultT | None], Generic[ResultT]):
    """A dialog that escape closes without a result."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "Close", show=False),
    ]
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    """

    def on_resize(self, event: events.Resize) -> None:
        mark_size(self, event.size)

    def show_state(self, state: TerminalState) -> None:
        """The state of the terminal is this now; most dialogs show nothing of it."""

    def action_give_up(self) -> None:
        """Close without a result."""
        self.dismiss(None)
