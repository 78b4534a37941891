"""The line in which a search is typed, below the transcript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from gemma_chat.ui.text import count as short_count


class SearchSign(Static):
    """A sign of the bar that does something when it is clicked."""

    @dataclass
    class Pressed(Message):
        """It was clicked."""

        does: Literal["previous", "next", "close"]

    def __init__(self, sign: str, does: Literal["previous", "next", "close"]) -> None:
        super().__init__(Content(sign), markup=False, classes="sign")
        self._does: Literal["previous", "next", "close"] = does

    def on_click(self) -> None:
        self.post_message(self.Pressed(self._does))


class SearchBar(Horizontal):
    """What is searched, how often it was found, and the way from match to match."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,shift+enter", "go(-1)", show=False, priority=True),
        Binding("down", "go(1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    SearchBar { height: 1; background: $surface; padding: 0 1; }
    SearchBar Input, SearchBar Input:focus {
        width: 1fr; height: 1; border: none; padding: 0; background: transparent;
    }
    SearchBar #search-label { width: auto; color: $ink-quiet; }
    SearchBar #search-count { width: auto; padding: 0 1; color: $ink-quiet; }
    SearchBar .sign { width: 3; content-align: center middle; color: $ink-mark; }
    SearchBar .sign:hover { background: $boost; }
    """

    @dataclass
    class Wanted(Message):
        """This is searched from now on."""

        text: str

    @dataclass
    class Moved(Message):
        """The next match is wanted, down (1) or up (-1)."""

        direction: int

    class Closed(Message):
        """The search is over."""

    def __init__(self) -> None:
        super().__init__(id="search")
        self.input = Input(placeholder="words in this conversation", compact=True)
        self._count = Static(markup=False, id="search-count")
        self.display = False

    def compose(self) -> ComposeResult:
        yield Static("⌕ ", id="search-label", markup=False)
        yield self.input
        yield self._count
        yield SearchSign("↑", "previous")
        yield SearchSign("↓", "next")
        yield SearchSign("✕", "close")

    def open(self) -> None:
        """Show the bar and let the person type; what was searched last is selected."""
        self.display = True
        self.input.focus()
        self.input.action_select_all()
        self.post_message(self.Wanted(self.input.value))

    def close(self) -> None:
        """Put the bar away."""
        self.display = False

    def tell(self, place: int, count: int, *, done: bool) -> None:
        """Say which match is shown, of how many; there may be more while not all is read."""
        more = "" if done else "…"
        if not self.input.value.strip():
            text = ""
        elif count:
            text = f"{short_count(place)}/{short_count(count)}{more}"
        else:
            text = "none" if done else "…"
        case = "Aa " if any(letter.isupper() for letter in self.input.value) else ""
        self._count.update(Content(f"{case}{text}"))

    def action_go(self, direction: int) -> None:
        """Go to another match."""
        self.post_message(self.Moved(direction))

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        if self.display:
            self.tell(0, 0, done=False)
            self.post_message(self.Wanted(message.value))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Moved(-1))

    def on_search_sign_pressed(self, message: SearchSign.Pressed) -> None:
        message.stop()
        match message.does:
            case "close":
                self.post_message(self.Closed())
            case "next":
                self.post_message(self.Moved(1))
            case "previous":
                self.post_message(self.Moved(-1))
