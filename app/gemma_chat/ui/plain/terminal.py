"""The plain line mode itself: what is typed goes to the host, what the host says is said.

Everything here runs on the thread of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gemma_chat.config.presets import begun_with, presets_for
from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import GemmaChatError
from gemma_chat.host import protocol as p
from gemma_chat.quantities import counted
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.host_calls import HostCalls, Severity
from gemma_chat.ui.input.slash import Refusal, is_command, literal, parse
from gemma_chat.ui.keeping import Keeper
from gemma_chat.ui.link import Inbox, Link
from gemma_chat.ui.own_events import (
    AnyEvent,
    DraftTyped,
    FetchBegun,
    FetchFailed,
    LinkChanged,
    LinkState,
    PairShown,
    TabSelected,
)
from gemma_chat.ui.plain.commands import TABLE, PlainCommands, screen_only
from gemma_chat.ui.plain.news import news_of
from gemma_chat.ui.plain.options import PlainOptions
from gemma_chat.ui.plain.replies import YOU, Replies
from gemma_chat.ui.plain.speech import Speech
from gemma_chat.ui.plain.words import cannot_send, model_words, tab_name
from gemma_chat.ui.state import TabState, TerminalState, apply, text_is_missing

if TYPE_CHECKING:
    from gemma_chat.config.library import Library
    from gemma_chat.config.presets import Preset

LEAVE_SECONDS: Final = 0.5
"""How long the end may wait for the host to keep the last draft."""
GREETING: Final = "gemma-chat, plain line mode. /help lists the commands, Ctrl+D leaves."
LEFT: Final = "Left. Replies go on in the host, which leaves some minutes after its last terminal."
UNFORESEEN: Final = "This failed in a way that was not foreseen; the log of this terminal says why."
NOTHING_TO_STOP: Final = "There is no reply to stop. Ctrl+D or /quit leaves."
_log = logging.getLogger(__name__)
_ANSWERS: Final[dict[str, p.ToolAnswer]] = {
    "once": "once",
    "o": "once",
    "yes": "once",
    "always": "always",
    "a": "always",
    "never": "never",
    "n": "never",
    "no": "never",
}


class PlainTerminal:
    """One terminal on a host, without a screen."""

    def __init__(self, link: Link, inbox: Inbox, options: PlainOptions, speech: Speech) -> None:
        """`inbox` listens to `link`; both may be at work already."""
        self.link = link
        self.options = options
        self.state = TerminalState(own=options.own)
        self.calls = HostCalls(link, self.change, self.say)
        self.replies = Replies(speech)
        self.speech = speech
        self.left = False
        """The person has left: nothing more is read."""
        self.last_words: p.Goodbye | None = p.Goodbye(0)
        self.to_edit = ""
        """What is to stand in the line when it is asked for next."""
        self.enclosed = Draft()
        """Files that go with the next message."""
        self.in_place_of = 0
        """The question of the shown tab whose place the next message takes."""
        self.has_refused = False
        """A message could not be sent."""
        self._inbox = inbox
        self._keeper = Keeper(self.calls, self.spawn)
        self._commands = PlainCommands(self)
        self._tasks: set[asyncio.Task[object]] = set()
        self._changed = asyncio.Event()
        self._has_state = False
        self.drafting = 0
        """The tab whose draft stands in the line or in the editor: what is sent is made of it."""

    # ------------------------------------------------------------ beginning and end

    async def begin(self) -> None:
        """Say how things stand, as soon as the host has told; or that there is none."""
        if self.options.first_words:
            self.say(self.options.first_words)
        self.say(GREETING)
        self._inbox.open(self._take_events)
        await self.until(lambda: self._has_state or self.state.link.phase == "failed")
        if self._has_state:
            await self._arrive()

    async def _arrive(self) -> None:
        self.say(model_words(self.state.model))
        self._commands.models.tell_ways()
        if self.options.wanted is not None:
            await self._commands.models.switch_as_told(self.options.wanted)
        if not self.state.tabs:
            await self._commands.tabs.open_new()
        else:
            await self.enter_tab()

    async def end(self, typed: str = "") -> None:
        """Let the host keep what it has to, `typed` as a draft, and let go of it."""
        tab = self.state.active_tab
        if typed.strip() and tab is not None:
            self.keep_draft(tab.session, Draft(typed).before(tab.draft))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await asyncio.gather(*self._tasks, return_exceptions=True)
                if self.last_words is not None:
                    await self.calls.part(self.last_words)
        for task in self._tasks:
            task.cancel()
        await self.link.close()

    async def quit(self) -> None:
        """Leave; replies go on in the host."""
        if self.options.echoes:
            self.say(f"{LEFT} `{self.options.command} --plain` comes back.")
        self.leave(p.Goodbye(0))

    def leave(self, last_words: p.Goodbye | None) -> None:
        """Read nothing more; what the host is told at the end."""
        self.left, self.last_words = True, last_words
        self._changed.set()

    # ------------------------------------------------------------ what is typed

    async def typed(self, text: str) -> None:
        """Carry out what was typed, and be done when there is nothing more to wait for."""
        try:
            await self._typed(text.replace("\0", ""))
        except GemmaChatError as error:
            self.say(str(error), "warning")
        except Exception:
            _log.exception("what was typed could not be carried out")
            self.say(UNFORESEEN, "error")
        await self.until(lambda: not self.replies.is_following(self.state.active) or self.left)

    async def _typed(self, text: str) -> None:
        if not text.strip():
            return
        if self.state.link.phase == "failed":
            self.link.retry()
        tab = self.state.active_tab
        if tab is not None and tab.view.asking and text.strip().lower() in _ANSWERS:
            question = tab.view.asking[0].question
            await self.calls.answer_tool(tab.session, question, _ANSWERS[text.strip().lower()])
            return
        self.options.sent.add(text)
        if not is_command(text):
            await self.send(literal(text))
            return
        if sentence := screen_only(text):
            self.say(sentence, "warning")
            return
        call = parse(text, TABLE)
        if isinstance(call, Refusal):
            self.say(call.sentence, "warning")
        else:
            await self._commands.run(call)

    async def send(self, text: str) -> None:
        """Ask this in the tab that is shown; it is kept as a draft where that cannot be."""
        message = msgspec.structs.replace(self.enclosed, text=text)
        if refusal := cannot_send(self.state) or message.too_long or self._takes_no(message):
            self._refused(text, refusal)
            return
        if self.state.active_tab is None:
            await self._commands.tabs.open_new()
        tab = self.state.active_tab
        if tab is None:
            self._refused(text, "No tab could be opened.")
            return
        if not self.options.echoes:
            self.speech.say_whole(YOU, text)
        with self.replies.asking(tab.session):
            turn = await self._ask(tab, message)
            if turn:
                self.replies.follow_turn(tab.session, turn)
        if not turn:
            self._refused(text, "")
            return
        self.enclosed = Draft()
        if self.drafting == tab.session or tab.draft.full == text:
            self.keep_draft(tab.session, Draft())
        self.drafting = 0
        self._news()

    def _takes_no(self, message: Draft) -> str:
        """Why files cannot go with a question that is sent again; empty when there are none."""
        if not (self.in_place_of and message.attachments):
            return ""
        return (
            "A message that was sent keeps its attachments. /resend none, then send the new ones "
            "with a message of their own."
        )

    async def _ask(self, tab: TabState, message: Draft) -> int:
        """Send a message, as a new one or in the place of another; its turn, or 0."""
        edited, newest = self.in_place_of, tab.last_message
        if not edited:
            return await self.calls.send(tab.session, message, after=newest)
        turn = await self.calls.edit(tab.session, edited, message, newest=newest)
        if turn:
            self._commands.selection.leave()
            self.in_place_of = 0
        return turn

    def _refused(self, text: str, why: str) -> None:
        self.has_refused = True
        tab = self.state.active_tab
        if tab is not None:
            self.keep_draft(tab.session, Draft(text))
            why = f"{why} Not sent, and kept as a draft: /draft brings it back.".strip()
        self.say(why, "warning")

    async def interrupt(self) -> None:
        """Stop the reply of the tab that is shown."""
        if not await self._commands.messages.stop_reply():
            self.say(NOTHING_TO_STOP)

    # ------------------------------------------------------------ drafts

    def bring_draft(self) -> None:
        """Let the tab's draft stand in the line."""
        tab = self.state.active_tab
        if tab is None or tab.draft.empty:
            self.say("There is no draft in this tab.")
        else:
            self.to_edit, self.drafting = tab.draft.full, tab.session

    def keep_draft(self, session: int, draft: Draft) -> None:
        """Make this the draft of a tab, and let the host keep it."""
        self.change(DraftTyped(session, draft))
        tab = self.state.tab(session)
        if tab is not None:
            self._keeper.keep(tab)

    # ------------------------------------------------------------ state

    def _take_events(self, *, pressing: bool) -> None:
        # Nothing is drawn here that many events could share: all are taken as they come.
        for arrived in self._inbox.take():
            event = LinkChanged(LinkState(*arrived)) if isinstance(arrived, tuple) else arrived
            self.change(event)

    def change(self, event: AnyEvent) -> None:
        """Apply one event, and say what it means for the person."""
        before = self.state
        self.state = apply(before, event)
        if isinstance(event, p.Snapshot):
            self._keeper.forget()
            self._keeper.tell_drafts(self.state)
            # One line after another: nothing stands side by side here.
            self.state = apply(self.state, PairShown(None))
        elif isinstance(event, LinkChanged) and event.link.phase == "failed":
            self.replies.forget()
        elif isinstance(event, p.TurnText) and self._misses_text(event):
            self._fetch(event.session, 0)
        if self._has_state or isinstance(event, LinkChanged):
            for text, severity in news_of(before, self.state, event):
                self.say(text, severity)
        self._has_state = self._has_state or isinstance(event, p.Snapshot)
        if not isinstance(event, FetchFailed):
            self._fetch_missing()
        self.replies.take(self.state, event)
        self._keeper.mark_read(self.state)
        self._keeper.look_at(self.state)
        self._changed.set()

    def _news(self) -> None:
        self.replies.say_news(self.state)
        self._changed.set()

    def _misses_text(self, event: p.TurnText) -> bool:
        return event.session == self.state.active and text_is_missing(self.state, event)

    def _fetch_missing(self) -> None:
        tab = self.state.active_tab
        if tab is None or tab.conversation.reading != "unknown":
            return
        if self.state.link.phase == "connected":
            self._fetch(tab.session, tab.last_message + 1 if tab.last_message else 0)

    def _fetch(self, session: int, since: int) -> None:
        tab = self.state.tab(session)
        begun = FetchBegun(session, tab.conversation.fetch + 1 if tab else 0, since)
        # Noted at once, so that nobody asks for the same a second time.
        self.state = apply(self.state, begun)
        self.spawn(self.calls.fetch(begun))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds; it is looked at whenever something has changed."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    # ------------------------------------------------------------ tabs

    async def show_tab(self, session: int) -> None:
        """Go to a tab, and say how it stands there."""
        self.in_place_of = 0
        self.change(TabSelected(session))
        await self.enter_tab()

    async def enter_tab(self) -> None:
        """Say where the person is now; what is unread there is read, what runs is followed."""
        tab = self.state.active_tab
        if tab is None:
            return
        was_unread = tab.view.unread or tab.view.failed
        count = tab.view.message_count
        name = tab_name(self.state, tab.session)
        self.say(f"{name[:1].upper()}{name[1:]}, {counted(count, 'message')}.")
        if instruction := tab.view.settings.system_instruction.strip():
            self.say(
                f"Its system instruction has {counted(len(instruction), 'character')}: /system."
            )
        if not tab.draft.empty:
            self.say(
                f"A draft of {counted(len(tab.draft.full), 'character')} waits here: /draft brings "
                "it into the line, /edit opens it in your editor."
            )
        await self.loaded(tab.session)
        if was_unread and not self.replies.is_following(tab.session):
            self._commands.messages.read_last_reply()
        self.replies.follow_running(self.state)
        self._news()

    def read(self, message: p.MessageView) -> None:
        """Read a message of the tab."""
        self._commands.messages.read(message)

    async def loaded(self, session: int) -> TabState | None:
        """The tab, with its newest messages when they can be had; `None` when it is closed."""

        def settled() -> bool:
            tab = self.state.tab(session)
            return tab is None or tab.conversation.reading != "loading"

        await self.until(settled)
        return self.state.tab(session)

    # ------------------------------------------------------------ for commands

    @property
    def prompt(self) -> str:
        """What stands before the line in which the person types."""
        tab = self.state.active_tab
        return "Once, always or never: " if tab is not None and tab.view.asking else f"{YOU}: "

    @cached_property
    def library(self) -> Library:
        """Roles, presets and prompts."""
        return self.options.library()

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The presets on board and of the settings file."""
        return presets_for(self.options.settings.all_presets, self.state.model.recommended)

    @property
    def defaults(self) -> SessionSettings:
        """The settings of a new tab."""
        defaults, recommended = self.options.settings.defaults, self.state.model.recommended
        return defaults if recommended is None else begun_with(defaults, recommended)

    def say(self, text: str, severity: Severity = "information") -> None:
        """Tell the person something."""
        lead = {"information": "", "warning": "", "error": "Error: "}[severity]
        self.speech.say(f"{lead}{text}")

    def change_settings(self, session: int, settings: SessionSettings, said: str) -> None:
        """Let these settings hold for a tab from its next turn on, and say `said` when they do."""
        self.spawn(self._change_settings(session, settings, said))

    async def _change_settings(self, session: int, settings: SessionSettings, said: str) -> None:
        if await self.calls.change_settings(session, settings):
            self.say(said)

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Do this beside everything else."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until what was begun here is done."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
