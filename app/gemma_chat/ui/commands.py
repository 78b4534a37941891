"""What each action of the table does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.host.protocol import LockEntry, ToolAnswer
from gemma_chat.ui.attaching.commands import AttachCommands
from gemma_chat.ui.compare_commands import CompareCommands
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.input.slash import escaped, literal
from gemma_chat.ui.input_commands import InputCommands
from gemma_chat.ui.leaving import Leaving
from gemma_chat.ui.library_commands import LibraryCommands
from gemma_chat.ui.lock_commands import LockCommands
from gemma_chat.ui.message_commands import MessageCommands
from gemma_chat.ui.models.commands import ModelCommands
from gemma_chat.ui.own_events import (
    ClosedHere,
    Panel,
    PanelOpened,
    ReopenedHere,
    TabSelected,
)
from gemma_chat.ui.search_commands import SearchCommands
from gemma_chat.ui.summary_commands import SummaryCommands
from gemma_chat.ui.tab_commands import TabCommands
from gemma_chat.ui.tab_settings import TabSettings
from gemma_chat.ui.text import NAME_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.transcript import Transcript


class Commands:
    """Carries out the actions for the app that owns it."""

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self.library = LibraryCommands(app)
        self.models = ModelCommands(app, self)
        self.tabs = TabCommands(app)
        self.compare = CompareCommands(app)
        settings = TabSettings(app, self)
        leaving = Leaving(app)
        self.input = InputCommands(app, self, settings)
        self._by_id: dict[str, Callable[[], None]] = {
            **self.input.by_id,
            **settings.by_id,
            **self.library.by_id,
            **self.models.by_id,
            **self.tabs.by_id,
            **self.compare.by_id,
            "tab.clear": self.clear_tab,
            "turn.stop": self.stop,
            "tool.once": lambda: self.answer_tool("once"),
            "tool.always": lambda: self.answer_tool("always"),
            "tool.never": lambda: self.answer_tool("never"),
            "tab.new": self.new_tab,
            "tab.close": self.close_tab,
            "tab.undo_close": self.undo_close,
            "tab.next": lambda: self.select(app.state.neighbour(1)),
            "tab.previous": lambda: self.select(app.state.neighbour(-1)),
            "tab.jump": self.jump,
            "tab.rename": self.rename,
            "panel.settings": lambda: self.toggle_panel("settings"),
            "panel.reset_field": self.reset_field,
            "panel.summary": lambda: self.toggle_panel("summary"),
            "panel.lock": lambda: self.toggle_panel("lock"),
            "transcript.page_up": lambda: self._scroll(lambda it: it.scroll_page_up(animate=False)),
            "transcript.page_down": lambda: self._scroll(
                lambda it: it.scroll_page_down(animate=False)
            ),
            "transcript.home": lambda: self._scroll(lambda it: it.scroll_home(animate=False)),
            "transcript.end": lambda: self._scroll(lambda it: it.to_end()),
            "transcript.unfold": lambda: self._scroll(lambda it: it.toggle_asides()),
            "summarizer.pause": self.pause_summarizer,
            "host.stop": leaving.stop_host,
            "host.retry": app.link.retry,
            "program.theme": self.choose_theme,
            "program.help": self.help,
            "program.palette": app.action_command_palette,
            "program.detach": leaving.detach,
            "program.quit": leaving.quit,
        }
        self.lock = LockCommands(app, self)
        self._by_id.update(SummaryCommands(app).by_id)
        self.attaching = AttachCommands(app)
        self._by_id["message.attach"] = self.attaching.ask
        self.messages = MessageCommands(app)
        self._by_id.update(self.messages.by_id)
        self._by_id.update(SearchCommands(app).by_id)

    def run(self, action: str) -> None:
        """Carry out the action with this id; raises `KeyError` for one that has none here."""
        self._by_id[action]()

    # ------------------------------------------------------------ tabs

    def select(self, session: int) -> None:
        """Show this tab."""
        self._app.change(TabSelected(session))

    def select_number(self, number: int) -> None:
        """Show the tab with this number, if there is one."""
        tabs = self._app.state.tabs
        if number <= len(tabs):
            self.select(tabs[number - 1].session)

    def new_tab(self) -> None:
        """Open a tab and show it."""
        self._app.switch(self._open_and_select())

    async def _open_and_select(self, settings: SessionSettings | None = None) -> int:
        session = await self._app.calls.open_tab(settings, self._app.state.group)
        await self._select_when_known(session)
        return session

    async def _select_when_known(self, session: int) -> None:
        # The host sends the tab before the answer, but events are taken in bundles.
        self._app.take_events()
        self.select(session)

    def close_tab(self, session: int = 0) -> None:
        """Close a tab, the active one unless said otherwise. Nothing is lost by it."""
        session = session or self._app.state.active
        if session:
            self._app.switch(self._close(session))

    async def _close(self, session: int) -> None:
        tab = self._app.state.tab(session)
        if tab is None or self.tabs.keeps_open(tab):
            return
        self._app.store_draft()
        if await self._app.calls.close_tab(session):
            self._app.change(ClosedHere(session))
            title = one_line(tab.title, NAME_CELLS)
            key = self._app.keymap.shown("tab.undo_close")
            self._app.say(f"Closed “{title}”. {key} opens it again.", "information")

    def clear_tab(self) -> None:
        """A fresh chat with the same settings in the place of the active one, which is kept."""
        tab = self._app.state.active_tab
        if tab is not None and not self.tabs.keeps_open(tab):
            self._app.switch(self._clear(tab.session, tab.view.settings))

    async def _clear(self, session: int, settings: SessionSettings) -> None:
        if await self._open_and_select(settings):
            await self._close(session)

    def undo_close(self) -> None:
        """Open the tab again that was closed last."""
        closed = self._app.state.closed
        if closed:
            self._app.switch(self._reopen(closed[-1]))
        else:
            self._app.say("No tab was closed here.", "information")

    async def _reopen(self, session: int) -> None:
        if await self._app.calls.reopen(session):
            self._app.change(ReopenedHere(session))
            await self._select_when_known(session)

    def rename(self) -> None:
        """Ask for a title."""
        tab = self._app.state.active_tab
        if tab is None:
            return
        from gemma_chat.ui.rename import RenameDialog

        session = tab.session

        def renamed(title: str | None) -> None:
            if title is not None:
                self._app.spawn(self._app.calls.rename(session, title))

        self._app.push_screen(RenameDialog(tab.view.title), renamed)

    def rename_to(self, title: str) -> None:
        """Give the active tab this title."""
        if self._app.state.active:
            self._app.spawn(self._app.calls.rename(self._app.state.active, title))

    def jump(self) -> None:
        """Let the person find a tab."""
        from gemma_chat.ui.jump_list import JumpList

        def chosen(session: int | None) -> None:
            if session:
                self.select(session)

        self._app.push_screen(JumpList(self._app.state), chosen)

    # ------------------------------------------------------------ messages

    def _scroll(self, how: Callable[[Transcript], None]) -> None:
        transcript = self._app.window.transcript
        if transcript is not None:
            how(transcript)

    def drop(self, text: str, paths: tuple[Path, ...]) -> None:
        """Files were dropped on the terminal; where none can be taken it is plain text."""
        model = self._app.state.model
        if model.phase == "ready" and not model.modalities:
            self._app.window.composer.editor.insert(text)
        else:
            self.attaching.attach(paths)

    def send(self, draft: Draft) -> None:
        """Send what stood in the input; it comes back when that fails."""
        tab = self._app.state.active_tab
        if tab is not None and tab.editing is not None:
            # The draft that was put aside stands in the input when the host has answered.
            self._app.switch(self._send(draft))
        else:
            self._app.spawn(self._send(draft))

    async def _send(self, draft: Draft) -> None:
        app = self._app
        refusal = _cannot_send(app)
        if refusal:
            self.give_back(app.state.writing, draft)
            app.say(refusal, "warning")
            return
        tab = app.state.active_tab
        message = msgspec.structs.replace(draft, text=literal(draft.text))
        if tab is not None and tab.editing is not None:
            if draft.attachments:
                self.give_back(tab.session, draft)
                app.say(
                    "A message that was sent keeps its attachments. Take the new ones out and "
                    "send them with a message of their own.",
                    "warning",
                )
                return
            if not await self.messages.send_edited(tab, tab.editing.message, message):
                self.give_back(tab.session, draft)
            return
        recipients = app.state.recipients
        app.store_draft()
        # Whoever was reading further up wants to see what becomes of it.
        app.window.panes.follow(recipients)
        if not recipients:
            recipients = (await self._open_and_select(),)
        for session in recipients:
            asked = app.state.tab(session)
            seen = asked.last_message if asked is not None else 0
            if not session or not await app.calls.send(session, message, after=seen):
                self.give_back(session or app.state.active, draft)

    def give_back(self, session: int, draft: Draft) -> None:
        """Put what was not sent into its tab's input again, before what was typed since."""
        self._app.store_draft()
        tab = self._app.state.tab(session)
        there = tab.draft if tab else self._app.window.composer.draft
        self._app.put_draft(session, draft.before(there))

    def stop(self) -> None:
        """Close what is open, from the front to the back; else end this tab's own turn."""
        app = self._app
        tab = app.state.active_tab
        if app.window.close_search() or app.window.composer.take_escape():
            return
        if app.state.selected:
            self.messages.leave()
            return
        if tab is not None and tab.editing is not None:
            self.messages.end_edit(tab.session)
            return
        if app.state.panel != "none":
            app.change(PanelOpened("none"))
            return
        tab = app.state.active_tab
        if tab is not None and tab.view.calling:
            # Its turn holds no lock and waits for none while tools run.
            app.spawn(app.calls.stop(tab.session, 0))
            return
        entry = app.state.own_turn(app.state.active)
        if entry is None:
            # Of two that were asked together, the one beside it.
            turns = map(app.state.own_turn, app.state.recipients)
            entry = next((turn for turn in turns if turn is not None), None)
        if entry is not None:
            self.end_turn(entry)

    def end_turn(self, entry: LockEntry) -> None:
        """End a turn of any tab; a question that waited comes back into its tab's input."""
        self._app.spawn(self._stop(entry.session, entry.turn, queued=entry.phase == "queued"))

    async def _stop(self, session: int, turn: int, *, queued: bool) -> None:
        app = self._app
        question = _question(app, session, turn) if queued else ""
        if not await app.calls.stop(session, turn) or not question:
            return
        app.store_draft()
        tab = app.state.tab(session)
        if tab is not None and tab.draft.empty:
            app.put_draft(session, Draft(escaped(question)))

    def answer_tool(self, answer: ToolAnswer) -> None:
        """Answer what this tab asks about a call of its model; without a question do nothing."""
        tab = self._app.state.active_tab
        if tab is not None and tab.view.asking:
            question = tab.view.asking[0].question
            self._app.spawn(self._app.calls.answer_tool(tab.session, question, answer))

    # ------------------------------------------------------------ panels and program

    def toggle_panel(self, panel: Panel) -> None:
        """Open this panel, or close it when it is open."""
        opened: Panel = "none" if self._app.state.panel == panel else panel
        self._app.change(PanelOpened(opened))

    def reset_field(self) -> None:
        """Give the setting with the cursor its default again."""
        if panel := self._app.window.panel:
            panel.reset_focused()

    def change_settings(self, session: int, settings: SessionSettings, *, said: str = "") -> None:
        """Let these settings hold for a tab from its next turn on, and say `said` when they do."""
        self._app.spawn(self._change_settings(session, settings, said))

    async def _change_settings(self, session: int, settings: SessionSettings, said: str) -> None:
        if await self._app.calls.change_settings(session, settings) and said:
            self._app.say(said, "information")
        if panel := self._app.window.panel:
            panel.settled(self._app.state)

    def pause_summarizer(self) -> None:
        """Pause the summarizer, or let it go on."""
        paused = not self._app.state.summarizer.paused
        self._app.spawn(self._app.calls.pause_summarizer(paused=paused))

    def choose_theme(self) -> None:
        """Let the person choose among the themes, each shown at once."""
        from gemma_chat.ui.theme_list import ThemeList

        def chosen(theme: str | None) -> None:
            if theme is not None:
                self._app.keep_theme(theme)

        self._app.push_screen(ThemeList(), chosen)

    def help(self) -> None:
        """Show all keys."""
        from gemma_chat.ui.help import HelpScreen

        self._app.push_screen(HelpScreen(self._app.keymap))


def _cannot_send(app: ChatApp) -> str:
    if app.state.link.phase == "silent":
        return "The host does not answer. Your message stays in the input until it does."
    if app.state.link.phase != "connected":
        return "The host is not connected. Your message stays in the input until it is."
    match app.state.model.phase:
        case "none":
            return "No model is loaded. Your message stays in the input as a draft."
        case "failed" if app.state.model.server:
            return "The server cannot be used. Your message stays in the input as a draft."
        case "failed":
            return "The model could not be loaded. Your message stays in the input as a draft."
        case _:
            return ""


def _question(app: ChatApp, session: int, turn: int) -> str:
    tab = app.state.tab(session)
    messages = tab.conversation.messages if tab else ()
    return next((m.text for m in messages if m.turn == turn and m.role == "user"), "")
