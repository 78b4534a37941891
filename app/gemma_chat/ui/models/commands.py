"""What is done with models: load, download, delete, start with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gemma_chat.errors import SettingsError
from gemma_chat.ui.models.lines import DownloadLine, FileLine, OfferLine, TypedLine
from gemma_chat.ui.status_line import entry_name
from gemma_chat.ui.text import one_line, size

if TYPE_CHECKING:
    from gemma_chat.host.protocol import LockEntry
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.dialog import Dialog
    from gemma_chat.ui.models.pane import Wish

ModelLine = FileLine | OfferLine | DownloadLine | TypedLine


class ModelCommands:
    """Carries these out for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.by_id: Mapping[str, Callable[[], None]] = {"model.load": self.open_picker}

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

    def carry_out(self, wish: Wish, line: ModelLine, screen: Dialog[None]) -> None:
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

    async def _use(self, line: ModelLine, screen: Dialog[None]) -> None:
        match line:
            case FileLine():
                if await self.load(line.view.path) and screen.is_current:
                    screen.dismiss(None)
            case TypedLine() if line.is_path:
                if await self.load(whole(line.text)) and screen.is_current:
                    screen.dismiss(None)
            case _:
                await self.get(line)

    async def get(self, line: ModelLine) -> None:
        """Download what a line offers; pause a download that runs, and go on with another."""
        calls = self._app.calls
        match line:
            case OfferLine():
                await calls.download(line.view.name)
            case TypedLine():
                await calls.download(line.text)
            case DownloadLine():
                runs = line.view.state not in ("paused", "failed")
                await calls.change_download(line.view.download, "pause" if runs else "resume")
            case FileLine():
                return

    # ------------------------------------------------------------ switching

    async def load(self, path: str) -> bool:
        """Load a file; when a reply is under way, ask when. False when it is not loaded."""
        app = self._app
        if path == app.state.model.path and app.state.model.phase in ("ready", "loading"):
            app.say(f"{one_line(app.state.model.name, 60)} is loaded already.", "information")
            return True
        when = await self.ask_when()
        if when is None or not await app.calls.load_model(path, when=when):
            return False
        if when == "idle":
            name = one_line(Path(path).stem, 60)
            app.say(f"{name} is loaded when the reply under way has ended.", "information")
        return True

    async def ask_when(self) -> Literal["now", "idle"] | None:
        """When another model may take the place of this one; `None` when it may not."""
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        holders = [one for one in self._app.state.lock.holders if not one.background]
        if not holders:
            return "now"
        answer = await self._app.push_screen_wait(
            ChoiceDialog(
                f"{_who(self._app, holders)} is being answered",
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
        name = one_line(Path(path).stem, 60)
        self._app.say(f"The program starts with {name} from now on.", "information")
        self._look_again()

    # ------------------------------------------------------------ deleting

    async def _remove(self, line: ModelLine) -> None:
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        app = self._app
        if isinstance(line, DownloadLine):
            view = line.view
            question = ChoiceDialog(
                f"Give up {one_line(view.name, 30)}?",
                (
                    Choice("keep", "Keep it", key="k"),
                    Choice("drop", "Give it up", f"{size(view.done_bytes)} have come", key="g"),
                ),
            )
            if await app.push_screen_wait(question) == "drop":
                await app.calls.change_download(view.download, "drop")
        elif isinstance(line, FileLine) and line.view.place == "own":
            file = line.view
            question = ChoiceDialog(
                f"Delete {one_line(file.name, 30)}?",
                (
                    Choice("keep", "Keep it", key="k"),
                    Choice("delete", "Delete the file", f"frees {size(file.bytes)}", key="d"),
                ),
            )
            if await app.push_screen_wait(question) == "delete" and await app.calls.remove_model(
                file.path
            ):
                app.say(f"{one_line(file.name, 60)} is deleted.", "information")
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


def _who(app: ChatApp, holders: list[LockEntry]) -> str:
    return " and ".join(one_line(entry_name(app.state, one), 24) for one in holders[:2])
