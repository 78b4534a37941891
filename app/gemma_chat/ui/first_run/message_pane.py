"""The first message, beside how the model is coming along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from gemma_chat.host.protocol import DownloadView, ModelView
from gemma_chat.ui.offers import Offers
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.status_line import gauge
from gemma_chat.ui.text import NAME_CELLS, NOTICE_CELLS, SENTENCE_CELLS, one_line

_MOST_TYPED = 4_000
_LOW = 8
"""Below this many rows there are no suggestions."""
_GAUGE_CELLS = 16

SUGGESTIONS = (
    "What can you help me with?",
    "Explain to me how a rainbow comes about.",
    "Give me three ideas for a quiet Sunday.",
)


class MessagePane(Vertical):
    """One field, a few suggestions, and a line about the model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "suggest(1)", show=False, priority=True),
        Binding("up", "suggest(-1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    MessagePane { height: 1fr; }
    MessagePane Input, MessagePane Input:focus {
        border: none; height: 1; padding: 0 1; background: $panel;
    }
    MessagePane Offers { height: auto; margin: 1; }
    MessagePane #first-model { height: auto; }
    MessagePane.-low Offers { display: none; }
    """

    @dataclass
    class Written(Message):
        """This is the first message; it may be empty."""

        text: str

    def __init__(self, state: TerminalState) -> None:
        super().__init__()
        self._state = state
        self._input = Input(placeholder="Say something", compact=True, max_length=_MOST_TYPED)
        self._offers = Offers()
        self._about = Static(id="first-model", markup=False)
        self._suggested = -1

    def compose(self) -> ComposeResult:
        yield self._input
        yield self._offers
        yield self._about

    def on_mount(self) -> None:
        self._input.focus()
        self.show_state(self._state)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.height < _LOW, "-low")
        rows = (
            (str(number), Content.styled(one_line(text, event.size.width - 2), "$ink-quiet"))
            for number, text in enumerate(SUGGESTIONS)
        )
        # One cell: each suggestion gets a line of its own.
        self._offers.show(rows, 1)

    def show_state(self, state: TerminalState) -> None:
        """The state of the terminal is this now."""
        self._state = state
        self._about.update(about_model(state.model, state.downloads))

    def on_offers_pressed(self, message: Offers.Pressed) -> None:
        message.stop()
        self._suggest(int(message.id))

    def action_suggest(self, step: int) -> None:
        """Put the next suggestion into the field."""
        self._suggest((self._suggested + step) % len(SUGGESTIONS) if self._suggested >= 0 else 0)

    def _suggest(self, number: int) -> None:
        self._suggested = number
        self._input.value = SUGGESTIONS[number]
        self._input.cursor_position = len(self._input.value)
        self._input.focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.finish()

    def finish(self) -> None:
        """Begin with what stands in the field."""
        self.post_message(self.Written(self._input.value.strip()))


def about_model(model: ModelView, downloads: tuple[DownloadView, ...]) -> Content:
    """How the model is coming along, and what that means for the message."""
    match model.phase:
        case "ready":
            return Content.styled(f"{one_line(model.name, NOTICE_CELLS)} is ready.", "$ink-good")
        case "loading":
            return Content.styled(
                f"{one_line(model.name, NOTICE_CELLS)} is being loaded; your message waits for it.",
                "$ink-wait",
            )
        case "failed":
            return Content.styled(one_line(model.error, SENTENCE_CELLS), "$ink-bad")
        case _ if downloads:
            return _coming(downloads[0])
        case _:
            return Content.styled(
                "No model is loaded yet; your message stays in the input. /model shows them.",
                "$ink-wait",
            )


def _coming(download: DownloadView) -> Content:
    name = one_line(download.name, NAME_CELLS)
    if download.state == "failed":
        return Content.styled(
            f"{name} could not be downloaded; /model says why. Your message stays in the input.",
            "$ink-bad",
        )
    share = download.done_bytes / download.total_bytes if download.total_bytes else 0.0
    return Content.assemble(
        Content.styled(f"{name}  {gauge(share, 1, _GAUGE_CELLS)} {share:.0%}\n", "$ink-wait"),
        Content.styled(
            "Your message stays in the input until it is here; then you can send it.", "$ink-quiet"
        ),
    )
