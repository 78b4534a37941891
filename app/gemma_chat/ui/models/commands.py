"""What is done with models: load, download, delete, start with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gemma_chat.errors import SettingsError
from gemma_chat.host.protocol import HubToken
from gemma_chat.quantities import byte_size
from gemma_chat.ui.models.lines import DownloadLine, FileLine, OfferLine, TypedLine
from gemma_chat.ui.status_line import entry_name
from gemma_chat.ui.text import HEADING_CELLS, NOTICE_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.host.protocol import ModelView
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.commands import Commands
    from gemma_chat.ui.dialog import Dialog
    from gemma_chat.ui.models.pane import Wish
    from gemma_chat.ui.models.wanted import WantedModel
    from gemma_chat.ui.state import TerminalState

ModelLine = FileLine | OfferLine | DownloadLine | TypedLine


class ModelCommands:
    """Carries these out for the app that owns it."""

    def __init__(
        self,
        app: ChatApp,
        commands: Commands,
    ) -> None:
        self._app = app
        self._commands = commands
        self._has_arrived = False
        self.by_id: Mapping[str, Callable[[], None]] = {"model.load": self.open_picker}

    def arrived(self, model: ModelView) -> None:
        """The host has told its state: at the first time, see what is to be done about models."""
        if self._has_arrived:
            return
        self._has_arrived = True
        options = self._app.options
        if options.wanted is not None:
            self._app.spawn(self.switch_as_told(options.wanted))
        elif model.phase == "none" and options.first_time():
            from gemma_chat.ui.first_run.begin import begin

            self._app.call_later(begin, self._app, self._commands)

    def open_picker(self) -> None:
        """Show all models."""
        from gemma_chat.ui.models.screen import ModelScreen

        self._app.push_screen(ModelScreen(self._app, self))

    def load_file(self, path: str) -> None:
        """Let the host load this file in place of its model; raises `SettingsError`."""
        file = Path(path).expanduser()
        if not file.is_file():
            raise SettingsError(f"There is no model file {path[:200]}. /model shows those found.")
        self._app.spawn(self.load(whole(path)))

    def carry_out(self, wish: Wish, line: ModelLine, screen: Dialog[Any]) -> None:
        """Do what is wanted with a line of the picker `screen`."""
        match wish:
            case "models.use":
                self._app.spawn(self._use(line, screen))
            case "models.default" if isinstance(line, FileLine):
                self.start_with(line.view.path)
            case "models.remove":
                self._app.spawn(self._remove(line))
            case _:
                return

    async def _use(self, line: ModelLine, screen: Dialog[Any]) -> None:
        is_file = isinstance(line, FileLine) or (isinstance(line, TypedLine) and line.is_path)
        if await self.bring(line) and is_file and screen.is_current:
            screen.dismiss(None)

    async def bring(self, line: ModelLine) -> bool:
        """Load the file of a line, or download what it offers; False when that is not done.

        A download that runs is paused, and one that does not goes on.
        """
        calls = self._app.calls
        match line:
            case FileLine():
                return await self.load(line.view.path)
            case TypedLine() if line.is_path:
                return await self.load(whole(line.text))
            case TypedLine():
                return await calls.download(line.text, self._hub_token)
            case OfferLine():
                return await calls.download(line.view.name, self._hub_token)
            case DownloadLine():
                if line.view.state in ("paused", "failed"):
                    return await calls.resume_download(line.view.download, self._hub_token)
                return await calls.change_download(line.view.download, "pause")

    @property
    def _hub_token(self) -> HubToken:
        """What this terminal was started with: the host may have been started without."""
        environment = self._app.options.environment
        return HubToken(environment.get("HF_TOKEN", "").strip())

    # ------------------------------------------------------------ switching

    async def load(self, path: str) -> bool:
        """Load a file; when a reply is under way, ask when. False when it is not loaded."""
        app = self._app
        if path == app.state.model.path and app.state.model.phase in ("ready", "loading"):
            name = one_line(app.state.model.name, NOTICE_CELLS)
            app.say(f"{name} is loaded already.", "information")
            return True
        when = await self.ask_when()
        if when is None or not await app.calls.load_model(path, when=when):
            return False
        if when == "idle":
            name = one_line(Path(path).stem, NOTICE_CELLS)
            app.say(f"{name} is loaded when the reply under way has ended.", "information")
        return True

    async def switch_as_told(self, wanted: WantedModel) -> None:
        """Ask whether the model of the command line is to take the place of the one there is.

        The host was running already, and others may be using what it has loaded.
        """
        app = self._app
        model = app.state.model
        if wanted.is_loaded_as(model):
            return
        if model.phase in ("ready", "loading"):
            from gemma_chat.ui.choice import Choice, ChoiceDialog

            answer = await app.push_screen_wait(
                ChoiceDialog(
                    f"The host has {one_line(model.name or model.server, HEADING_CELLS)}",
                    (
                        Choice("load", f"Load {one_line(wanted.name, 34)} for all tabs", key="l"),
                        Choice("keep", "Keep what it has", key="k"),
                    ),
                )
            )
            if answer != "load":
                return
        when = await self.ask_when()
        if when is not None:
            await app.calls.load_model(
                wanted.path, server=wanted.server, server_model=wanted.server_model, when=when
            )

    async def ask_when(self) -> Literal["now", "idle"] | None:
        """When another model may take the place of this one; `None` when it may not."""
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        under_way = list(_under_way(self._app.state))
        if not under_way:
            return "now"
        answer = await self._app.push_screen_wait(
            ChoiceDialog(
                f"{' and '.join(under_way[:2])} is being answered",
                (
                    Choice("idle", "Switch when the reply has ended", key="w"),
                    Choice("now", "Switch now", "the reply keeps what it has", key="n"),
                    Choice("keep", "Keep this model", key="k"),
                ),
            )
        )
        return "idle" if answer == "idle" else "now" if answer == "now" else None

    def start_with(self, path: str) -> None:
        """Load this file at the next start of the host, and at each one after it."""
        if not self._app.keep_setting("model.path", path):
            return
        name = one_line(Path(path).stem, NOTICE_CELLS)
        if self._app.settings.server.url:
            self._app.say(
                f"{name} is kept as model.path, but server.url comes first. `gemma-chat config "
                'set server.url ""` lets the program start with a file.',
                "warning",
            )
        else:
            self._app.say(f"The program starts with {name} from now on.", "information")
        self._look_again()

    # ------------------------------------------------------------ deleting

    async def _remove(self, line: ModelLine) -> None:
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        app = self._app
        if isinstance(line, DownloadLine):
            view = line.view
            about = f"{byte_size(view.done_bytes)} have come"
            question = ChoiceDialog(
                f"Give up {one_line(view.name, HEADING_CELLS)}?",
                (
                    Choice("keep", "Keep it", key="k"),
                    Choice("drop", "Give it up", about, key="g"),
                ),
            )
            if await app.push_screen_wait(question) == "drop":
                await app.calls.change_download(view.download, "drop")
        elif isinstance(line, FileLine) and line.view.place == "own":
            file = line.view
            question = ChoiceDialog(
                f"Delete {one_line(file.name, HEADING_CELLS)}?",
                (
                    Choice("keep", "Keep it", key="k"),
                    Choice("delete", "Delete the file", f"frees {byte_size(file.bytes)}", key="d"),
                ),
            )
            if await app.push_screen_wait(question) == "delete" and await app.calls.remove_model(
                file.path
            ):
                app.say(f"{one_line(file.name, NOTICE_CELLS)} is deleted.", "information")
                self._look_again()

    def _look_again(self) -> None:
        from gemma_chat.ui.models.pane import ModelPane

        for screen in self._app.screen_stack:
            for pane in screen.query(ModelPane):
                pane.look_again()


def whole(path: str) -> str:
    """A path as the host needs it, which stands in another folder."""
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        # The home of somebody who is not known here: the host says so.
        return path


def _under_way(state: TerminalState) -> Iterator[str]:
    """The tabs in which a reply is written, or a tool runs for one."""
    for entry in state.lock.holders:
        if not entry.background:
            yield one_line(entry_name(state, entry), 24)
    for tab in state.tabs:
        if tab.view.calling:
            yield f"{state.number(tab.session)} {one_line(tab.title, 22)}"
