"""The dialogs that ask where conversations are written to, and from which file they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from gemma_chat.exchange.writing import ENDING_OF, ENDINGS, FORMATS, Format
from gemma_chat.ui.dialog import DialogBox
from gemma_chat.ui.offers import Offers
from gemma_chat.ui.path_dialog import PathDialog

_NAMES: Final[dict[Format, str]] = {
    "markdown": "Markdown",
    "json": "JSON",
    "html": "HTML",
    "svg": "SVG",
}


@dataclass(frozen=True, slots=True)
class ExportWish:
    """Where to, as it was typed, and in which format."""

    path: str
    form: Format


class ExportDialog(PathDialog[ExportWish]):
    """Answers with a file for one conversation, or with a folder for several."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "change_format(-1)", show=False, priority=True),
        Binding("down", "change_format(1)", show=False, priority=True),
    ]

    def __init__(self, title: str, suggested: str, target: Literal["file", "folder"]) -> None:
        super().__init__()
        self._title = title
        self._suggested = suggested
        self._target = target
        self._form: Format = "markdown"
        self._formats = Offers()

    def compose(self) -> ComposeResult:
        with DialogBox(self._title, "enter writes · tab completes · ↑ ↓ format"):
            yield self.field(f"path of the {self._target}", tuple(ENDINGS), self._suggested)
            yield self._formats

    def on_mount(self) -> None:
        self._draw()

    def action_change_format(self, step: int) -> None:
        """The next format."""
        self._use_format(FORMATS[(FORMATS.index(self._form) + step) % len(FORMATS)])

    def _use_format(self, form: Format) -> None:
        """Write in this format; the name of the file ends accordingly."""
        self._form = form
        field = self.query_one(Input)
        if self._target == "file" and PurePath(field.value).suffix.lower() in ENDINGS:
            ending = PurePath(field.value).suffix
            field.value = field.value.rstrip().removesuffix(ending) + ENDING_OF[form]
            field.action_end()
        self._draw()

    def on_input_changed(self, message: Input.Changed) -> None:
        if self._target == "file":
            ending = PurePath(message.value.strip()).suffix.lower()
            self._form = ENDINGS.get(ending, self._form)
            self._draw()

    def take(self, path: str) -> None:
        self.dismiss(ExportWish(path, self._form))

    def on_offers_pressed(self, message: Offers.Pressed) -> None:
        self._use_format(next(form for form in FORMATS if form == message.id))

    def _draw(self) -> None:
        styles = dict.fromkeys(FORMATS, "$ink-quiet") | {self._form: "bold reverse $ink-mark"}
        offers = [(form, Content.styled(f" {_NAMES[form]} ", styles[form])) for form in FORMATS]
        self._formats.show(offers, self.size.width, gap=1)


class ImportDialog(PathDialog[str]):
    """Answers with the path as it was typed."""

    def compose(self) -> ComposeResult:
        with DialogBox("Import conversations", "enter reads · tab completes · esc closes"):
            yield self.field("path of a JSON file", (".json",))

    def take(self, path: str) -> None:
        self.dismiss(path)
