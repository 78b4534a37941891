"""What can be done with whole conversations: find, open, export, import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gemma_chat.errors import ExchangeError
from gemma_chat.quantities import counted
from gemma_chat.ui.text import HEADING_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.exchange.writing import Format
    from gemma_chat.host.protocol import UNTITLED, ConversationView
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.history.file_dialogs import ExportWish

_NOTHING_SAID = "Nothing was said in this tab yet; there is nothing to export."


class LibraryCommands:
    """Carries out these actions for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.by_id: Mapping[str, Callable[[], None]] = {
            "history.open": self.open_history,
            "tab.export": self.export,
            "history.import": self.ask_import,
        }

    # ------------------------------------------------------------ history

    def open_history(self) -> None:
        """Show all conversations."""
        from gemma_chat.ui.history.screen import HistoryScreen

        def chosen(session: int | None) -> None:
            if session is not None:
                self._app.switch(self.show(session))

        self._app.push_screen(HistoryScreen(self._app, self), chosen)

    async def show(self, session: int) -> None:
        """Show this conversation: in its tab when it has one, else in a new one."""
        if self._app.state.tab(session) is None and not await self._app.calls.reopen(session):
            return
        # The host sends the tab before the answer, but events are taken in bundles.
        self._app.take_events()
        self._app.show_tab(session)

    # ------------------------------------------------------------ export

    def export(self) -> None:
        """Ask where the conversation of the active tab is to be written to."""
        tab = self._app.state.active_tab
        if tab is not None:
            self._ask_export_one(tab.session, tab.view.title, tab.title)

    def export_to(self, wish: str) -> None:
        """Write the conversation of the active tab to this file, or in this format."""
        tab = self._app.state.active_tab
        if tab is not None:
            self._app.spawn(self._export_one(tab.session, wish, "markdown"))

    def export_these(self, views: Sequence[ConversationView]) -> None:
        """Ask where these conversations are to be written to."""
        if len(views) == 1:
            self._ask_export_one(views[0].session, views[0].title, views[0].title or UNTITLED)
            return
        from gemma_chat.ui.history.file_dialogs import ExportDialog
        from gemma_chat.ui.history.files import here, short

        def chosen(wish: ExportWish | None) -> None:
            if wish is not None:
                self._app.spawn(self._export_all(views, wish))

        title = f"Export {counted(len(views), 'conversation')} into a folder"
        dialog = ExportDialog(title, f"{short(here())}/", "folder")
        self._app.push_screen(dialog, chosen)

    def _ask_export_one(self, session: int, title: str, shown_title: str) -> None:
        from gemma_chat.exchange.writing import file_name
        from gemma_chat.ui.history.file_dialogs import ExportDialog
        from gemma_chat.ui.history.files import here, short, with_ending

        def chosen(wish: ExportWish | None) -> None:
            if wish is not None:
                path = with_ending(wish.path, wish.form)
                self._app.spawn(self._export_one(session, path, wish.form))

        suggested = short(here() / file_name(title, session, "markdown"))
        dialog = ExportDialog(f"Export “{one_line(shown_title, HEADING_CELLS)}”", suggested, "file")
        self._app.push_screen(dialog, chosen)

    async def _export_one(self, session: int, wish: str, form: Format) -> None:
        from gemma_chat.ui.history import files

        transcript = await self._app.calls.whole_conversation(session)
        if transcript is None:
            return
        if not transcript.lines:
            self._app.say(_NOTHING_SAID, "warning")
            return
        try:
            target, form = files.target_of(wish, form, transcript.title, session)
            there = files.existing([target])
            if there and await self._ask_about_existing(there) != "replace":
                return
            await asyncio.to_thread(files.write, transcript, target, form, replace=bool(there))
        except ExchangeError as error:
            self._app.say(str(error), "error")
            return
        count = len(transcript.lines if form == "json" else transcript.shown)
        messages = counted(count, "message")
        self._app.say(f"Written to {files.short(target)} ({messages}).", "information")

    async def _export_all(self, views: Sequence[ConversationView], wish: ExportWish) -> None:
        from gemma_chat.exchange.writing import file_name
        from gemma_chat.ui.history import files

        try:
            folder = files.typed_path(wish.path)
            files.make_folder(folder)
        except ExchangeError as error:
            self._app.say(str(error), "error")
            return
        targets = {
            view.session: folder / file_name(view.title, view.session, wish.form) for view in views
        }
        there = files.existing(targets.values())
        answer = await self._ask_about_existing(there) if there else "replace"
        if answer is None:
            return
        if answer == "keep":
            targets = {key: path for key, path in targets.items() if path not in there}
        await self._write_all(targets, folder, wish.form, frozenset(there))

    async def _write_all(
        self, targets: Mapping[int, Path], folder: Path, form: Format, replaced: frozenset[Path]
    ) -> None:
        from gemma_chat.ui.history import files

        written, empty, fault = 0, 0, ""
        for session, path in targets.items():
            transcript = await self._app.calls.whole_conversation(session)
            if transcript is None:
                continue
            if not transcript.lines:
                empty += 1
                continue
            try:
                replace = path in replaced
                await asyncio.to_thread(files.write, transcript, path, form, replace=replace)
                written += 1
            except ExchangeError as error:
                fault = fault or str(error)
        left_out = f" Left out: {empty:,} in which nothing was said." if empty else ""
        sentence = f"{counted(written, 'conversation')} written to {files.short(folder)}.{left_out}"
        if fault:
            self._app.say(f"{sentence} The first that could not be: {fault}", "error")
        else:
            self._app.say(sentence, "information")

    async def _ask_about_existing(
        self, existing: Sequence[Path]
    ) -> Literal["replace", "keep"] | None:
        """What is to happen to files that exist; `None` when nothing is to be written."""
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        one = len(existing) == 1
        what = existing[0].name if one else f"{len(existing):,} of these files"
        dialog = ChoiceDialog(
            f"{one_line(what, 36)} exist{'s' if one else ''} already",
            (
                Choice("keep", "Leave as it is" if one else "Leave them as they are", key="l"),
                Choice("replace", "Replace", "what it holds now is lost", key="r"),
            ),
        )
        answer = await self._app.push_screen_wait(dialog)
        if answer == "replace":
            return "replace"
        return "keep" if answer == "keep" else None

    # ------------------------------------------------------------ import

    def ask_import(self) -> None:
        """Ask for a file with conversations."""
        from gemma_chat.ui.history.file_dialogs import ImportDialog

        def chosen(path: str | None) -> None:
            if path is not None:
                self._app.spawn(self._import(path))

        self._app.push_screen(ImportDialog(), chosen)

    def import_from(self, path: str) -> None:
        """Take over the conversations of this file."""
        self._app.spawn(self._import(path))

    async def _import(self, typed: str) -> None:
        from gemma_chat.exchange.reading import read_conversations
        from gemma_chat.ui.history.files import typed_path

        app = self._app
        try:
            path = typed_path(typed)
            transcripts = await asyncio.to_thread(read_conversations, path)
        except ExchangeError as error:
            app.say(str(error), "error")
            return
        sessions: list[int] = []
        for transcript in transcripts:
            session = await app.calls.put_in(transcript, path)
            if not session:
                break
            sessions.append(session)
        if len(sessions) < len(transcripts):
            if len(transcripts) > 1:
                whole = counted(len(transcripts), "conversation")
                app.say(f"{len(sessions):,} of {whole} imported from {path.name}.", "warning")
        elif len(sessions) == 1:
            app.say(f"Imported from {path.name}.", "information")
            await self.show(sessions[0])
        else:
            whole = counted(len(sessions), "conversation")
            app.say(f"{whole} imported from {path.name}. They are in the history.", "information")
