"""The window: every place on the screen, and what each shows of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.message import Message

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.ui.calm_screen import CalmScreen
from gemma_chat.ui.composer import Composer
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.own_events import Panel
from gemma_chat.ui.panes import Panes
from gemma_chat.ui.sizes import mark_size
from gemma_chat.ui.state import TerminalState
from gemma_chat.ui.status_bar import StatusBar
from gemma_chat.ui.status_line import advice_of
from gemma_chat.ui.tab_bar import TabBar, group_of, labels_of
from gemma_chat.ui.tool_prompt import ToolPrompt
from gemma_chat.ui.welcome import Welcome, page_for

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.search_bar import SearchBar
    from gemma_chat.ui.transcript import Transcript


class SidePanel(Container):
    """The base of the panels at the right. They are docked, not modal: replies stream on."""

    DEFAULT_CSS = """
    SidePanel {
        width: 46;
        height: 1fr;
        background: $surface;
        border-left: solid $foreground 15%;
    }
    """

    @dataclass
    class SettingsApplied(Message):
        """These settings are to hold for this tab."""

        session: int
        settings: SessionSettings

    @dataclass
    class ActionPressed(Message):
        """Something was pressed that stands for an action of the table."""

        action: str

    def show(self, state: TerminalState) -> None:
        """Show what the state says of the active tab."""

    def unsaved(self) -> SettingsApplied | None:
        """What is being typed and was not taken over yet, when it is allowed."""
        return None

    def reset_focused(self) -> None:
        """Give what has the keyboard its default again, where there is one."""

    def settled(self, state: TerminalState) -> None:
        """The host has answered one change of settings that this panel asked for."""


class Window(CalmScreen[None]):
    """Tab bar, transcript or page, side panel, input and status bar."""

    AUTO_FOCUS: ClassVar[str | None] = "Editor"
    DEFAULT_CSS = """
    Window { layout: vertical; }
    Window #middle { height: 1fr; }
    Window #reading { width: 1fr; height: 1fr; }
    Window.-narrow.-panel #reading { display: none; }
    Window.-narrow SidePanel { width: 1fr; border-left: none; }
    Window.-narrow ToolPrompt Choice { padding: 0; }
    Window.-low Composer { border: none; border-left: outer $primary; }
    Window.-low Composer Editor { max-height: 3; }
    Window.-low Composer Suggestions { max-height: 3; }
    Window.-low Composer.-vi #mode { display: block; }
    Window.-low SettingsPanel #settings-advice { height: 3; }
    Window.-low LockPanel #lock-advice { display: none; }
    """

    def __init__(self, install_command: str, keymap: Keymap = DEFAULT_KEYS) -> None:
        super().__init__()
        self._keymap = keymap
        self.tab_bar = TabBar()
        self.panes = Panes()
        self.welcome = Welcome()
        self.tool_prompt = ToolPrompt(keymap)
        self.composer = Composer()
        self.status_bar = StatusBar(keymap)
        self._middle = Horizontal(id="middle")
        self._reading = Container(id="reading")
        self.search: SearchBar | None = None
        self._panel: SidePanel | None = None
        self._install_command = install_command

    def compose(self) -> ComposeResult:
        # Known before anything is laid out, so that it need not be laid out twice.
        mark_size(self, self.app.size)
        self.status_bar.fit_window(self.app.size)
        self.show(TerminalState())
        yield self.tab_bar
        with self._middle, self._reading:
            yield self.welcome
            yield self.panes
        yield self.tool_prompt
        yield self.composer
        yield self.status_bar

    @property
    def transcript(self) -> Transcript | None:
        """The transcript of the active tab."""
        return self.panes.active

    def keyboard_to_input(self) -> None:
        """Another tab is shown: what is typed now is meant for it, not for a message of before."""
        if any(self.focused is one and not one.selected for one in self.panes.transcripts):
            self.composer.editor.focus()

    async def open_search(self) -> None:
        """Show the line in which a search is typed."""
        if self.search is None:
            from gemma_chat.ui.search_bar import SearchBar

            self.search = SearchBar()
            await self.mount(self.search, before=self.composer)
        self.search.open()

    def close_search(self) -> bool:
        """Put the search away, with its marks; False when there is none."""
        if self.search is None or not self.search.display:
            return False
        self.search.close()
        for transcript in self.panes.transcripts:
            transcript.search("")
        self.composer.editor.focus()
        return True

    def on_resize(self, event: events.Resize) -> None:
        mark_size(self, event.size)
        self.tool_prompt.fit_window(event.size)
        self.status_bar.fit_window(event.size)

    def explains(self, state: TerminalState) -> bool:
        """Whether a page stands in the transcript's place that says how things are."""
        return page_for(state, self._install_command, self._keymap) is not None

    def show(self, state: TerminalState) -> None:
        """Draw the state; what has not changed costs nothing but a comparison."""
        self.tab_bar.show(labels_of(state), group_of(state))
        self.status_bar.show(state)
        self.tool_prompt.show(state)
        self.composer.explain(advice_of(state, self._keymap))
        page = page_for(state, self._install_command, self._keymap)
        if page is not None:
            self.welcome.show(page)
        self.welcome.display = page is not None
        if self.panes.display != (page is None):
            self.panes.display = page is None
            self.panes.call_after_refresh(self.panes.fit)
        self.panes.show(state)
        if self._panel is not None:
            self._panel.show(state)

    @property
    def panel(self) -> SidePanel | None:
        """The open side panel."""
        return self._panel

    def set_panel(self, panel: SidePanel | None) -> None:
        """Show this panel at the right, or none; the keyboard goes where the eye is."""
        before, self._panel = self._panel, panel
        if before is not None and (unsaved := before.unsaved()):
            self.post_message(unsaved)
        if panel is None:
            self.composer.editor.focus()
        self.call_later(self._exchange, before, panel)

    async def _exchange(self, before: SidePanel | None, after: SidePanel | None) -> None:
        with self.held():
            if before is not None:
                await before.remove()
            self.set_class(self._panel is not None, "-panel")
            if after is not None and after is self._panel:
                await self._middle.mount(after)


def make_panel(panel: Panel, app: ChatApp) -> SidePanel | None:
    """This panel; its module is imported when it is opened for the first time."""
    match panel:
        case "settings":
            from gemma_chat.ui.settings_panel import SettingsPanel

            settings = app.settings
            servers = tuple(server.name for server in settings.mcp_servers)
            presets = app.library.presets(settings.all_presets).items
            return SettingsPanel(presets, settings.defaults, servers)
        case "summary":
            from gemma_chat.ui.summary_panel import SummaryPanel

            return SummaryPanel()
        case "lock":
            from gemma_chat.ui.lock_panel import LockPanel

            return LockPanel()
        case _:
            return None
