"""The terminal program: wires link, state, window and commands, and does nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import RenderableType
from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from gemma_chat.config.presets import begun_with, presets_for
from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui import keys
from gemma_chat.ui.away import Away
from gemma_chat.ui.bindings import bindings_of, tab_number_bindings
from gemma_chat.ui.composer import Composer, Editor
from gemma_chat.ui.dialog import Dialog
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.driver import TerminalDriver
from gemma_chat.ui.frames import STREAM_SECONDS, Frames, erases_in_colour, frugal, is_frugal
from gemma_chat.ui.host_calls import HostCalls, Severity
from gemma_chat.ui.input_draft import InputDraft
from gemma_chat.ui.input_order import InputOrder
from gemma_chat.ui.keeping import Keeper
from gemma_chat.ui.link import Inbox, Link
from gemma_chat.ui.options import AppOptions
from gemma_chat.ui.own_events import (
    AnyEvent,
    FetchBegun,
    LinkChanged,
    LinkState,
    MessageSelected,
    ScrollMoved,
    TabSelected,
)
from gemma_chat.ui.pace import SECONDS_BETWEEN, Pace
from gemma_chat.ui.pane_feeds import PaneFeeds
from gemma_chat.ui.panes import PaneHead
from gemma_chat.ui.state import TerminalState, apply
from gemma_chat.ui.styles import STYLES
from gemma_chat.ui.stylesheet import RememberingStylesheet
from gemma_chat.ui.tab_bar import TabBar
from gemma_chat.ui.terminal_input import BackgroundTold, read_pastes_in_bulk
from gemma_chat.ui.text import shown
from gemma_chat.ui.themes import window_colours
from gemma_chat.ui.tool_prompt import Choice
from gemma_chat.ui.window import SidePanel, Window, make_panel

if TYPE_CHECKING:
    from gemma_chat.config.library import Library
    from gemma_chat.config.presets import Preset
    from gemma_chat.config.sampling import SessionSettings
    from gemma_chat.ui.commands import Commands
    from gemma_chat.ui.consequences import Consequences
    from gemma_chat.ui.input.sources import ProgramSources
    from gemma_chat.ui.lock_list import LockList
    from gemma_chat.ui.search_bar import SearchBar
    from gemma_chat.ui.transcript import Transcript
    from gemma_chat.ui.transcript.reader import Reader

MOST_SAID = 600
"""Characters of one toast; more would cover the screen."""
LEAVE_SECONDS = 0.5
"""How long the end of the program may wait for the host to keep the last draft."""


class ChatApp(App[None]):
    """One terminal on a host."""

    TITLE = "gemma-chat"
    CSS = STYLES
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of("everywhere", "run"),
        *tab_number_bindings("tab_number"),
    ]

    def __init__(self, link: Link, inbox: Inbox, options: AppOptions) -> None:
        """`inbox` listens to `link`; both may be at work already."""
        keys.teach_textual()
        read_pastes_in_bulk()
        super().__init__(driver_class=TerminalDriver)
        self.stylesheet = RememberingStylesheet(variables=self.theme_variables)
        self.link = link
        self.state = TerminalState(own=options.own)
        self.window = Window(options.install_command, options.keymap)
        self.calls = HostCalls(link, self.change, self.say)
        self.keymap = options.keymap
        self.settings = options.settings
        self.sent_messages = options.sent
        self.away = Away(self)
        self.farewell = ""
        """What is said in the shell when the program has ended."""
        self._inbox = inbox
        self.options = options
        self._keeper = Keeper(self.calls, self.spawn)
        self._feeds = PaneFeeds(self._fetch, self.window.panes.open_right)
        is_slow = is_frugal(options.settings.terminal.slow_line, options.environment)
        erases = erases_in_colour(options.environment)
        self._frames = Frames(erases=erases) if is_slow else None
        self._pace = Pace(self, self.take_events, STREAM_SECONDS if is_slow else SECONDS_BETWEEN)
        self._copied = ""
        self._input_draft = InputDraft(self.window.composer, self._keeper.keep)
        self._input_order = InputOrder(
            self, super().on_event, lambda: self.state.link.phase != "silent"
        )
        if options.theme is not None:
            self.register_theme(options.theme)
            self.theme = options.theme.name

    def get_css_variables(self) -> dict[str, str]:
        # Ours last: they replace what Textual makes of the theme, for its scrollbars too.
        variables = super().get_css_variables() | window_colours(self.current_theme)
        self.theme_variables = variables
        return variables

    def get_default_screen(self) -> Screen[Any]:
        return self.window

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, frugal(renderable, self._frames, self.screen))

    async def on_event(self, event: events.Event) -> None:
        if self._input_order.concerns(event):
            await self._input_order.take(event)
        else:
            await super().on_event(event)

    def draw_all(self) -> None:
        """The terminal shows something else now: send the next picture as a whole."""
        if self._frames is not None:
            self._frames.forget()
        self.refresh(layout=True)

    def on_resize(self) -> None:
        # Terminals cut or wrap what they show, also when the old size comes back at once.
        if self._frames is not None:
            self._frames.forget()

    async def on_ready(self) -> None:
        """The first paint is done; what it did not need comes now."""
        self._feeds.attach(await self.window.panes.open_left(), self.state)
        self._inbox.open(self._pace.wake)
        self.options.painted()
        shelf = self.options.shelf()
        for theme in shelf.themes:
            self.register_theme(theme)
        for warning in (*self.options.warnings, *self.keymap.problems, *shelf.problems):
            self.say(warning, "warning")
        self.ask_for_modified_keys(keys.ASK_FOR_MODIFIED_KEYS)
        self._prepare_input()

    def on_mount(self) -> None:
        if overrides := self.keymap.overrides:
            self.set_keymap(overrides)
        self.window.composer.use_keymap(self.keymap)
        for action in self.keymap.new:
            # Not by `bind`, which gives no priority: the input would keep its own meaning of a key.
            self._bindings.bind(",".join(action.keys), f"run('{action.id}')", priority=True)

    def on_background_told(self, message: BackgroundTold) -> None:
        # Over a slow line the answer comes after the first paint.
        if self.options.theme_for is not None:
            theme = self.options.theme_for(message.background)
            self.register_theme(theme)
            self.theme = theme.name

    def _prepare_input(self) -> None:
        composer = self.window.composer
        composer.sent = self.sent_messages
        composer.completing.sources = self._sources
        composer.editor.set_vi(on=self.settings.terminal.vi_keys)
        if self._frames is not None:
            # Over a slow line nothing is sent while nothing happens.
            composer.editor.cursor_blink = False

    # ------------------------------------------------------------ state

    def take_events(self) -> None:
        """Apply everything that has arrived, then draw once."""
        before = self.state
        only_text = True
        for arrived in self._inbox.take():
            event = LinkChanged(LinkState(*arrived)) if isinstance(arrived, tuple) else arrived
            only_text = only_text and isinstance(event, p.TurnText)
            self._apply(event)
        if not only_text:
            self._draw(before)

    def change(self, event: AnyEvent) -> None:
        """Apply one event of this terminal, and draw."""
        before = self.state
        self._apply(event)
        self._draw(before)

    def _apply(self, event: AnyEvent) -> None:
        if isinstance(event, p.Snapshot | p.SessionChanged):
            self.state = self._input_draft.note(self.state)
        before = self.state
        self.state = apply(before, event)
        self._input_draft.follow(before, self.state)
        self._feeds.follow(before, self.state, event)
        self._consequences.follow(event, before)
        if isinstance(event, LinkChanged):
            self._input_order.look_again()

    def _draw(self, before: TerminalState) -> None:
        self.state = self._input_draft.change(before, self.state)
        self._feeds.rebind(before, self.state)
        after = self.state
        if before.panel != after.panel:
            self.window.set_panel(make_panel(after.panel, self))
        if before is not after:
            self.window.show(after)
            if before.active != after.active:
                self.window.keyboard_to_input()
            for screen in self.screen_stack[1:]:
                if isinstance(screen, Dialog):
                    screen.show_state(after)
            self._keeper.mark_read(after)
            self._keeper.look_at(after)

    def _fetch(self, session: int, since: int) -> None:
        tab = self.state.tab(session)
        begun = FetchBegun(session, tab.conversation.fetch + 1 if tab else 0, since)
        # Noted at once, so that nobody asks for the same a second time.
        self.state = apply(self.state, begun)
        self.spawn(self.calls.fetch(begun))

    def store_draft(self) -> None:
        """Take what stands in the input into the state, and let the host keep it."""
        self.state = self._input_draft.store(self.state)

    def put_draft(self, session: int, draft: Draft) -> None:
        """Make this the tab's draft, in the input too when the tab is shown."""
        self.state = self._input_draft.put(self.state, session, draft)

    # ------------------------------------------------------------ messages of the widgets

    def on_composer_sent(self, message: Composer.Sent) -> None:
        self._commands.input.sent(message.draft)

    def on_composer_paste_opened(self, message: Composer.PasteOpened) -> None:
        self._commands.input.open_paste(message.index, message.paste)

    def on_composer_file_wanted(self, message: Composer.FileWanted) -> None:
        self._commands.input.replace_by_file(message.path, message.start, message.end)

    def on_composer_refused(self, message: Composer.Refused) -> None:
        self.say(message.sentence, "warning")

    def on_composer_changed(self, message: Composer.Changed) -> None:
        self.store_draft()

    def on_editor_dropped(self, message: Editor.Dropped) -> None:
        self._commands.drop(message.text, message.paths)

    def on_editor_pressed(self, message: Editor.Pressed) -> None:
        self._commands.run(message.action)

    def on_choice_pressed(self, message: Choice.Pressed) -> None:
        self._commands.answer_tool(message.answer)

    def on_tab_bar_selected(self, message: TabBar.Selected) -> None:
        self._commands.select(message.session)

    def on_tab_bar_close_wanted(self, message: TabBar.CloseWanted) -> None:
        self._commands.close_tab(message.session)

    def on_tab_bar_menu_wanted(self, message: TabBar.MenuWanted) -> None:
        self._commands.tabs.menu(message.session)

    def on_tab_bar_dropped(self, message: TabBar.Dropped) -> None:
        self._commands.tabs.move_to(message.session, message.place)

    def on_tab_bar_groups_wanted(self) -> None:
        self._commands.tabs.choose_group()

    def on_tab_bar_new_wanted(self) -> None:
        self._commands.new_tab()

    def on_transcript_scrolled(self, message: Transcript.Scrolled) -> None:
        if self._feeds.is_bound(message.key):
            self.state = apply(self.state, ScrollMoved(message.key, message.position))

    def on_transcript_older_wanted(self, message: Transcript.OlderWanted) -> None:
        tab = self.state.tab(message.key)
        if tab is not None and tab.conversation.more:
            self.spawn(self.calls.fetch_older(tab.session, message.before))

    def on_transcript_preview_wanted(self, message: Transcript.PreviewWanted) -> None:
        if self.console.color_system in ("truecolor", "256") and not self.no_color:
            self.spawn(self._show_preview(message.digest))

    async def _show_preview(self, digest: str) -> None:
        from gemma_chat.ui.transcript.previews import COLUMNS, ROWS, picture_lines

        found = await self.calls.preview(digest, COLUMNS, 2 * ROWS)
        if found is not None:
            lines = picture_lines(found.width, found.height, found.rgb)
            for transcript in self.window.panes.transcripts:
                transcript.show_preview(digest, lines)

    def on_reader_selected(self, message: Reader.Selected) -> None:
        if message.message:
            self.change(TabSelected(message.key))
        if message.key == self.state.active:
            self.change(MessageSelected(message.message))

    def on_reader_spot_clicked(self, message: Reader.SpotClicked) -> None:
        spots = {
            "previous": "branch.previous",
            "next": "branch.next",
            "menu": "message.menu",
            "summary": "panel.summary",
        }
        self.change(TabSelected(message.key))
        self._commands.run(spots[message.spot])

    def on_reader_counted(self, message: Reader.Counted) -> None:
        if self.window.search is not None and message.key == self.state.active:
            self.window.search.tell(message.place, message.count, done=message.done)

    def on_pane_head_pressed(self, message: PaneHead.Pressed) -> None:
        self._commands.compare.press_head(message.session)

    def on_search_bar_wanted(self, message: SearchBar.Wanted) -> None:
        if self.window.transcript is not None:
            self.window.transcript.search(message.text)

    def on_search_bar_moved(self, message: SearchBar.Moved) -> None:
        self._commands.run("search.next" if message.direction > 0 else "search.previous")

    def on_search_bar_closed(self) -> None:
        self.window.close_search()

    def on_side_panel_settings_applied(self, message: SidePanel.SettingsApplied) -> None:
        self._commands.change_settings(message.session, message.settings)

    def on_lock_list_wanted(self, message: LockList.Wanted) -> None:
        self._commands.lock.carry_out(message.wish, message.entry)

    def on_side_panel_action_pressed(self, message: SidePanel.ActionPressed) -> None:
        self._commands.run(message.action)

    # ------------------------------------------------------------ actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the window do nothing while a dialog stands before it."""
        if action in ("run", "tab_number") and len(self.screen_stack) > 1:
            return parameters == ("program.quit",)
        return True

    def action_run(self, action: str) -> None:
        """Carry out an action of the table."""
        self._commands.run(action)

    def action_tab_number(self, number: int) -> None:
        """Show the tab with this number."""
        self._commands.select_number(number)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        from gemma_chat.ui.palette import commands_for

        return commands_for(self.state, self._commands, self.keymap)

    def action_command_palette(self) -> None:
        """Offer everything that can be done."""
        from gemma_chat.ui.palette import Palette

        offered = tuple(self.get_system_commands(self.screen))

        def chosen(place: int | None) -> None:
            if place is not None:
                offered[place].callback()

        self.push_screen(Palette(offered), chosen)

    @property
    def failure(self) -> BaseException | None:
        """The exception that ended the program, if one did."""
        return self._exception

    # ------------------------------------------------------------ for commands and panels

    @cached_property
    def library(self) -> Library:
        """Roles, presets and prompts."""
        return self.options.library()

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The presets on board and of the settings file."""
        return presets_for(self.settings.all_presets, self.state.model.recommended)

    @property
    def defaults(self) -> SessionSettings:
        """The settings of a new tab."""
        defaults, recommended = self.settings.defaults, self.state.model.recommended
        return defaults if recommended is None else begun_with(defaults, recommended)

    @cached_property
    def _commands(self) -> Commands:
        # The first paint needs nothing of what can be done.
        from gemma_chat.ui.commands import Commands

        return Commands(self)

    @cached_property
    def _consequences(self) -> Consequences:
        from gemma_chat.ui.consequences import Consequences

        return Consequences(self, self._commands, self._keeper, self._input_draft)

    @cached_property
    def _sources(self) -> ProgramSources:
        from gemma_chat.ui.input.sources import ProgramSources

        return ProgramSources(
            self.library, self.presets, lambda: self.available_themes, self.options.models
        )

    @property
    def clipboard(self) -> str:
        """What was copied here last."""
        return self._copied

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text to where the person can paste it, and say where that was."""
        self._copied = text
        self.spawn(self._copy(text))

    async def _copy(self, text: str) -> None:
        from gemma_chat.ui.clipboard import Clipboard

        clipboard = Clipboard(
            self._send_to_terminal, self.options.environment, self.options.state_dir
        )
        copied = await clipboard.copy(text)
        self.say(copied.sentence, "error" if copied.way == "nowhere" else "information")

    def _send_to_terminal(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def show_tab(self, session: int) -> None:
        """Show a tab that the host has told of."""
        self._commands.select(session)

    def say(self, text: str, severity: Severity) -> None:
        """Tell the person something, once while it is shown. It is never read as markup."""
        said = shown(text, MOST_SAID)
        if all(note.message != said for note in self._notifications):
            self.notify(said, severity=severity, markup=False)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Do this beside everything else."""
        self.run_worker(work, group="host")

    def switch(self, work: Coroutine[Any, Any, object]) -> None:
        """Do this, after which what is typed belongs elsewhere, or acts on another message."""
        self.spawn(self._input_order.during(work))

    def keep_theme(self, name: str) -> None:
        """Show a theme, and store the choice."""
        self.theme = name
        self.keep_setting("terminal.theme", name)

    def keep_setting(self, key: str, value: str) -> bool:
        """Store a setting; what is wrong with that is told."""
        try:
            self.options.keep_setting(key, value)
        except SettingsError as error:
            self.say(str(error), "error")
            return False
        return True

    def type_ahead(self, text: str) -> None:
        """Put into the input what was typed before there was one."""
        self.window.composer.load(Draft(text))

    def leave(self, exit_code: int = 0, *, last_words: p.Goodbye | None = None) -> None:
        """Let the host keep everything, what was typed last too, and end the program."""
        end = partial(self._keep_and_leave, exit_code, last_words)
        editor = self.window.composer.editor
        # Letters that came before the key to leave may still wait in the input's queue.
        if not (editor.is_running and editor.call_later(end)):
            end()

    def _keep_and_leave(self, exit_code: int, last_words: p.Goodbye | None) -> None:
        self.store_draft()
        self.spawn(self._leave(exit_code, last_words))

    async def _leave(self, exit_code: int, last_words: p.Goodbye | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._keeper.keep_all(self.state)
                if last_words is not None:
                    await self.calls.part(last_words)
        self.ask_for_modified_keys(keys.NO_MODIFIED_KEYS)
        self.exit(return_code=exit_code)

    def ask_for_modified_keys(self, sequence: str) -> None:
        """Tell the terminal whether modified keys are wanted."""
        self.write_to_terminal(sequence)

    def write_to_terminal(self, sequence: str) -> None:
        """Write an escape sequence that draws nothing."""
        if self._driver is not None and not self.is_headless and sequence:
            self._driver.write(sequence)
