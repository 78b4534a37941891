"""Models to choose from: a field, the list, and a page about the one with the cursor."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList, Static

from gemma_chat.host.protocol import ModelFacts, Models
from gemma_chat.ui.bindings import bindings_of
from gemma_chat.ui.models.lines import (
    DownloadLine,
    FileLine,
    Line,
    OfferLine,
    TypedLine,
    first_of,
    lines_of,
)
from gemma_chat.ui.models.model_list import ModelList
from gemma_chat.ui.models.pages import page_of, verdict_of
from gemma_chat.ui.offers import Offers, offer
from gemma_chat.ui.state import TerminalState

if TYPE_CHECKING:
    from gemma_chat.ui.host_calls import HostCalls
    from gemma_chat.ui.keymap import Keymap

Wish = Literal["models.use", "models.default", "models.remove"]

_MOST_TYPED = 300
_NARROW = 62
"""Below this many columns the page stands below the list."""
_LOW = 14
"""Below this many rows there are no empty ones, and in a narrow pane one sentence of the page."""
_PLACEHOLDER = "a few letters, OWNER/NAME of the hub, or a file"


class ModelPane(Vertical):
    """Says what a person wants with which model; whoever owns it carries that out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 'line')", show=False, priority=True),
        Binding("down", "move(1, 'line')", show=False, priority=True),
        Binding("pageup", "move(-1, 'page')", show=False, priority=True),
        Binding("pagedown", "move(1, 'page')", show=False, priority=True),
        *bindings_of("models", "run"),
    ]
    DEFAULT_CSS = """
    ModelPane { height: 1fr; }
    ModelPane Input, ModelPane Input:focus { border: none; height: 1; padding: 0; }
    ModelPane #models-body { height: 1fr; margin: 1 0; }
    ModelPane VerticalScroll {
        width: 1fr; height: 1fr; padding: 0 1; border-left: solid $foreground 15%;
        scrollbar-size-vertical: 1;
    }
    ModelPane.-narrow #models-body { layout: vertical; }
    ModelPane.-narrow VerticalScroll {
        height: 40%; padding: 0; border-left: none; border-top: solid $foreground 15%;
    }
    ModelPane.-low #models-body { margin: 0; }
    ModelPane.-narrow.-low VerticalScroll { height: 2; border-top: none; }
    """

    @dataclass
    class Wanted(Message):
        """This is wanted with this model."""

        wish: Wish
        line: FileLine | OfferLine | DownloadLine | TypedLine

    def __init__(
        self,
        state: TerminalState,
        calls: HostCalls,
        spawn: Callable[[Coroutine[Any, Any, object]], object],
        keymap: Keymap,
    ) -> None:
        super().__init__()
        self._state = state
        self._calls = calls
        self._spawn = spawn
        self._keymap = keymap
        self._models: Models | None = None
        self._facts: dict[str, ModelFacts] = {}
        self._asked: set[str] = set()
        self._input = Input(placeholder=_PLACEHOLDER, compact=True, max_length=_MOST_TYPED)
        self._list = ModelList()
        self._page = Static(markup=False)
        self._keys = Offers()

    def compose(self) -> ComposeResult:
        yield self._input
        with Horizontal(id="models-body"):
            yield self._list
            with VerticalScroll(can_focus=False):
                yield self._page
        yield self._keys

    def on_mount(self) -> None:
        self._input.focus()
        self.look_again()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < _NARROW, "-narrow")
        self.set_class(event.size.height < _LOW, "-low")
        self.call_after_refresh(self._draw)

    @property
    def models(self) -> Models | None:
        """What the host said there is."""
        return self._models

    @property
    def line(self) -> Line | None:
        """The line with the cursor."""
        return self._list.line

    def show_state(self, state: TerminalState) -> None:
        """The state of the terminal is this now."""
        before, self._state = self._state, state
        numbers = [one.download for one in state.downloads]
        if numbers != [one.download for one in before.downloads] or _other_model(before, state):
            self.look_again()
        if before.downloads != state.downloads or before.model != state.model:
            self._draw()

    def look_again(self) -> None:
        """Ask the host what there is now."""
        self._spawn(self._look())

    async def _look(self) -> None:
        models = await self._calls.models()
        if models is not None and self.is_attached:
            self._models = models
            self._facts.clear()
            self._asked.clear()
            self._draw()

    # ------------------------------------------------------------ what is shown

    def _draw(self) -> None:
        if not self._list.is_attached:
            return
        lines = lines_of(self._models, self._state.downloads, self._input.value.strip())
        loaded = self._state.model.path
        self._list.fill(
            lines,
            loaded=loaded,
            chosen="" if self._models is None else self._models.chosen,
            nothing="No model has these letters." if self._models else "Looking…",
            first=first_of(lines, self._models, loaded),
            airy=not self.has_class("-low"),
        )
        self._show_page()

    def _show_page(self) -> None:
        line = self._list.line
        facts = None
        if isinstance(line, FileLine):
            facts = self._facts.get(line.view.path)
            if line.view.path not in self._asked:
                self._asked.add(line.view.path)
                self._spawn(self._describe(line.view.path))
        tell = verdict_of if self.has_class("-narrow") and self.has_class("-low") else page_of
        self._page.update(tell(line, self._models, self._state.model, facts))
        self._keys.show(self._offers(line), max(20, self._keys.size.width))

    async def _describe(self, path: str) -> None:
        facts = await self._calls.describe_model(path)
        if facts is not None and self.is_attached:
            self._facts[path] = facts
            line = self._list.line
            if isinstance(line, FileLine) and line.view.path == path:
                self._show_page()

    def _offers(self, line: Line | None) -> Iterator[tuple[str, Content]]:
        for wish, word in _words(line):
            yield wish, offer(self._keymap.first_key(wish), word)

    # ------------------------------------------------------------ what a person does

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._draw()

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self._show_page()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.action_run("models.use")

    def on_offers_pressed(self, message: Offers.Pressed) -> None:
        message.stop()
        self.action_run(message.id)

    def action_move(self, step: int, by: Literal["line", "page"]) -> None:
        """Move the cursor of the list."""
        self._list.move(step * (self._list.page_lines if by == "page" else 1))

    def action_run(self, action: str) -> None:
        """Something is wanted with the model under the cursor."""
        line = self._list.line
        possible = {wish for wish, _ in _words(line)}
        for wish in possible:
            if wish == action and isinstance(line, FileLine | OfferLine | DownloadLine | TypedLine):
                self.post_message(self.Wanted(wish, line))


def _other_model(before: TerminalState, after: TerminalState) -> bool:
    return (before.model.path, before.model.phase) != (after.model.path, after.model.phase)


def _words(line: Line | None) -> tuple[tuple[Wish, str], ...]:
    """What can be done with a line, in one word each."""
    match line:
        case FileLine() if line.view.place == "own":
            return (("models.use", "load"), *_DEFAULT, ("models.remove", "delete"))
        case FileLine():
            return (("models.use", "load"), *_DEFAULT)
        case OfferLine():
            return (("models.use", "download"),)
        case DownloadLine():
            states = {"paused": "go on", "failed": "try again"}
            return (
                ("models.use", states.get(line.view.state, "pause")),
                ("models.remove", "give up"),
            )
        case TypedLine():
            return (("models.use", "load" if line.is_path else "download"),)
        case _:
            return ()


_DEFAULT: tuple[tuple[Wish, str], ...] = (("models.default", "start with it"),)
