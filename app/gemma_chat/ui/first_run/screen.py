"""Three steps at the first start without a model: the model, the role, the first message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from gemma_chat.config.roles import Role
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.first_run.message_pane import MessagePane
from gemma_chat.ui.first_run.role_pane import RolePane
from gemma_chat.ui.models.lines import DownloadLine
from gemma_chat.ui.models.pane import ModelPane
from gemma_chat.ui.offers import Offers, offer
from gemma_chat.ui.sizes import LOW
from gemma_chat.ui.state import TerminalState

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.models.commands import ModelCommands

STEPS = (
    ("A model", "Which model shall answer? It runs here; what you say stays here."),
    ("A role", "Who shall it be in the first tab? Every tab can be somebody else."),
    ("A message", "What do you want to say first?"),
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was chosen for the first chat."""

    role: Role | None
    message: str


class FirstRun(Dialog[Beginning]):
    """Answers with what was chosen; escape leaves at any step, and nothing is lost by it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "go(1)", show=False, priority=True),
        Binding("ctrl+b", "go(-1)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    FirstRun DialogBox { width: 100; height: 100%; max-height: 32; padding: 0 2; }
    FirstRun #first-question { height: auto; margin: 1 0; }
    FirstRun.-low DialogBox { padding: 0 1; }
    FirstRun.-low #first-question { margin: 0; }
    """

    def __init__(self, app: ChatApp, commands: ModelCommands, roles: Sequence[Role]) -> None:
        super().__init__()
        self._chat_app = app
        self._commands = commands
        self._roles = tuple(roles)
        self._step = 0
        self._role: Role | None = None
        self._box = DialogBox("", "")
        self._question = Static(id="first-question", markup=False)
        self._ways = Offers()
        self._pane: Widget | None = None

    def compose(self) -> ComposeResult:
        with self._box:
            yield self._question
            yield self._ways

    async def on_mount(self) -> None:
        await self._show(0)

    def show_state(self, state: TerminalState) -> None:
        if isinstance(self._pane, ModelPane | MessagePane):
            self._pane.show_state(state)

    async def action_go(self, step: int) -> None:
        """Go to the next step or the one before without choosing anything."""
        if 0 <= self._step + step < len(STEPS):
            await self._show(self._step + step)

    def on_offers_pressed(self, message: Offers.Pressed) -> None:
        message.stop()
        match message.id:
            case "leave":
                self.action_give_up()
            case "begin" if isinstance(self._pane, MessagePane):
                self._pane.finish()
            case "choose" if isinstance(self._pane, RolePane):
                self._pane.action_choose()
            case "back" | "next":
                self.run_worker(self.action_go(-1 if message.id == "back" else 1))

    async def _show(self, step: int) -> None:
        self._step = step
        name, question = STEPS[step]
        self._box.border_title = f"Welcome · {step + 1} of {len(STEPS)} · {name}"
        low = self.app.size.height < LOW
        self._question.update(question.partition("?")[0] + "?" if low else question)
        if self._pane is not None:
            await self._pane.remove()
        if step != self._step:
            # Another step was gone meanwhile.
            return
        self._pane = self._make(step)
        await self._box.mount(self._pane, before=self._ways)
        self.call_after_refresh(self._show_ways)

    def _show_ways(self) -> None:
        self._ways.show(_ways(self._step), max(20, self._ways.size.width))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._show_ways)

    def _make(self, step: int) -> Widget:
        app = self._chat_app
        if step == 0:
            return ModelPane(app.state, app.calls, app.spawn, app.keymap)
        if step == 1:
            return RolePane(self._roles)
        return MessagePane(app.state)

    async def on_model_pane_wanted(self, message: ModelPane.Wanted) -> None:
        message.stop()
        line = message.line
        if message.wish != "models.use" or isinstance(line, DownloadLine):
            self._commands.carry_out(message.wish, line, self)
        else:
            self._chat_app.spawn(self._take(message))

    async def _take(self, message: ModelPane.Wanted) -> None:
        if await self._commands.bring(message.line) and self.is_current and self._step == 0:
            await self._show(1)

    async def on_role_pane_chosen(self, message: RolePane.Chosen) -> None:
        message.stop()
        self._role = message.role
        await self._show(2)

    def on_message_pane_written(self, message: MessagePane.Written) -> None:
        message.stop()
        self.dismiss(Beginning(self._role, message.text))


def _ways(step: int) -> Iterator[tuple[str, Content]]:
    """Where one can go from a step, each with its key."""
    ways = [("leave", "esc", "leave")]
    if step:
        ways.insert(0, ("back", "ctrl+b", "back"))
    if step == 1:
        ways.insert(0, ("choose", "enter", "choose"))
    if step + 1 < len(STEPS):
        ways.insert(-1, ("next", "ctrl+n", "next"))
    else:
        ways.insert(0, ("begin", "enter", "begin"))
    for id_, key, word in ways:
        yield id_, offer(key, word)
