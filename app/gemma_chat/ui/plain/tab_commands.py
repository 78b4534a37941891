"""Commands about tabs and conversations: go to one, open, close, name, arrange, find, export."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.errors import ExchangeError, SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.quantities import counted
from gemma_chat.ui.own_events import ClosedHere, ReopenedHere
from gemma_chat.ui.plain.words import named_tab, tab_line, title_of
from gemma_chat.ui.tab_marks import MARKS, mark_named
from gemma_chat.ui.text import NAME_CELLS, NOTICE_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.terminal import PlainTerminal
    from gemma_chat.ui.state import TabState

MOST_LISTED: Final = 20
_ALL: Final = "/conversations lists all there are."
_NONE: Final = "none"


class TabCommands:
    """Carries these out for the terminal that owns it."""

    def __init__(self, terminal: PlainTerminal) -> None:
        self._terminal = terminal
        self.by_id: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "plain.tabs": self.list_tabs,
            "plain.tab": self.go_to,
            "plain.open": self.open_conversation,
            "tab.new": self.new,
            "tab.close": self.close,
            "tab.undo_close": self.reopen,
            "tab.rename": self.rename,
            "tab.pin": self.pin,
            "tab.mark": self.mark,
            "tab.group": self.group,
            "tab.clear": self.clear,
            "history.open": self.list_conversations,
            "tab.export": self.export,
            "history.import": self.take_in,
        }

    @property
    def _tab(self) -> TabState:
        tab = self._terminal.state.active_tab
        if tab is None:
            raise SettingsError("No tab is open. /new opens one. " + _ALL)
        return tab

    # ------------------------------------------------------------ which tab

    async def list_tabs(self, argument: str) -> None:
        """Say all tabs."""
        state = self._terminal.state
        for tab in state.tabs:
            self._terminal.say(tab_line(state, tab))
        if not state.tabs:
            self._terminal.say("No tab is open. /new opens one.")

    async def go_to(self, name: str) -> None:
        """Go to the tab that is named; without a name, say which one this is."""
        if not name:
            self._terminal.say(tab_line(self._terminal.state, self._tab))
            return
        found = named_tab(self._terminal.state, name)
        if isinstance(found, str):
            raise SettingsError(found)
        await self._terminal.show_tab(found.session)

    async def open_new(self, settings: SessionSettings | None = None) -> bool:
        """Open a tab and go to it."""
        terminal = self._terminal
        session = await terminal.calls.open_tab(settings, terminal.state.group)
        if session:
            await terminal.until(lambda: terminal.state.tab(session) is not None)
            await terminal.show_tab(session)
        return bool(session)

    async def new(self, argument: str) -> None:
        """Open a tab."""
        await self.open_new()

    async def close(self, argument: str) -> None:
        """Close the tab that is shown; its conversation is kept."""
        terminal, tab = self._terminal, self._tab
        if tab.view.pinned:
            raise SettingsError(f"{title_of(tab)} is pinned and stays open; /pin takes that away.")
        if await terminal.calls.close_tab(tab.session):
            terminal.change(ClosedHere(tab.session))
            terminal.say(f"Closed {title_of(tab)}. /reopen opens it again.")

    async def reopen(self, argument: str) -> None:
        """Open the tab again that was closed last."""
        closed = self._terminal.state.closed
        if not closed:
            raise SettingsError("No tab was closed here. " + _ALL)
        if await self._open(closed[-1]):
            self._terminal.change(ReopenedHere(closed[-1]))

    async def clear(self, argument: str) -> None:
        """A fresh conversation with the same settings in the place of this one, which is kept."""
        tab = self._tab
        if tab.view.pinned:
            raise SettingsError(f"{title_of(tab)} is pinned and stays open; /pin takes that away.")
        if await self.open_new(tab.view.settings):
            await self._terminal.calls.close_tab(tab.session)
            self._terminal.change(ClosedHere(tab.session))

    async def _open(self, session: int) -> bool:
        terminal = self._terminal
        if terminal.state.tab(session) is None and not await terminal.calls.reopen(session):
            return False
        await terminal.until(lambda: terminal.state.tab(session) is not None)
        await terminal.show_tab(session)
        return True

    # ------------------------------------------------------------ how it is arranged

    async def rename(self, title: str) -> None:
        """Give the tab a title, or let the summarizer choose one."""
        tab = self._tab
        if await self._terminal.calls.rename(tab.session, title) and not title:
            self._terminal.say("The summarizer chooses a title after the next reply.")

    async def pin(self, argument: str) -> None:
        """Pin the tab, or take its pin away."""
        tab = self._tab
        if await self._terminal.calls.arrange(p.PinTab(0, tab.session, not tab.view.pinned)):
            words = "no longer pinned" if tab.view.pinned else "pinned: it stands first and stays"
            self._terminal.say(f"{title_of(tab)} is {words}.")

    async def mark(self, name: str) -> None:
        """Give the tab a mark, or take it away."""
        name = name.strip().lower()
        known = ", ".join(mark.name for mark in MARKS)
        if not name:
            marked = self._tab.view.mark or "no mark"
            self._terminal.say(f"This tab has {marked}. There are {known}, and none.")
            return
        mark = mark_named(name)
        if mark is None and name != _NONE:
            raise SettingsError(f"There is no mark {name[:40]!r}. There are {known}, and none.")
        wish = p.MarkTab(0, self._tab.session, "" if mark is None else mark.name)
        if await self._terminal.calls.arrange(wish):
            self._terminal.say("The mark is gone." if mark is None else f"Marked {mark.name}.")

    async def group(self, name: str) -> None:
        """Put the tab into a group, or out of its group."""
        tab = self._tab
        if not name:
            group = one_line(tab.view.group, NOTICE_CELLS)
            self._terminal.say(f"This tab is in group {group}." if group else "In no group.")
            return
        group = "" if name.strip().lower() == _NONE else name.strip()
        if await self._terminal.calls.arrange(p.GroupTabs(0, (tab.session,), group)):
            into = f"into group {one_line(group, NOTICE_CELLS)}" if group else "out of its group"
            self._terminal.say(f"Put {into}. /tabs has the order.")

    # ------------------------------------------------------------ all chats

    async def list_conversations(self, words: str) -> None:
        """Say the conversations that were used last, or those that hold these words."""
        found = await self._terminal.calls.conversations(words, 0, MOST_LISTED)
        if found is None:
            return
        for view in found.conversations:
            title = one_line(view.title, NOTICE_CELLS) or p.UNTITLED
            standing = "open" if view.open else "closed"
            count = counted(view.message_count, "message")
            self._terminal.say(f"{view.session}. “{title}”, {count}, {standing}.")
        if not found.conversations:
            self._terminal.say(
                "No conversation has these words." if words else "There are none yet."
            )
        else:
            more = " There are older ones: /conversations WORDS finds them." if found.more else ""
            self._terminal.say(f"/open NUMBER opens one.{more}")

    async def open_conversation(self, number: str) -> None:
        """Open the conversation with this number of the list."""
        if not number.strip().isdecimal():
            raise SettingsError(f"{one_line(number, NAME_CELLS)} is no number. {_ALL}")
        await self._open(int(number.strip()[:15]))

    async def export(self, wish: str) -> None:
        """Write the conversation to a file; one that exists is left as it is."""
        from gemma_chat.ui.history import files

        terminal, tab = self._terminal, self._tab
        transcript = await terminal.calls.whole_conversation(tab.session)
        if transcript is None:
            return
        if not transcript.lines:
            raise ExchangeError("Nothing was said in this tab yet; there is nothing to export.")
        wish = wish or "markdown"
        target, form = files.target_of(wish, "markdown", transcript.title, tab.session)
        if files.existing([target]):
            raise ExchangeError(f"{files.short(target)} exists already. Name another file.")
        await asyncio.to_thread(files.write, transcript, target, form, replace=False)
        count = len(transcript.lines if form == "json" else transcript.shown)
        terminal.say(f"Written to {files.short(target)}, {counted(count, 'message')}.")

    async def take_in(self, typed: str) -> None:
        """Take over the conversations of a file."""
        from gemma_chat.exchange.reading import read_conversations
        from gemma_chat.ui.history.files import typed_path

        path = typed_path(typed)
        transcripts = await asyncio.to_thread(read_conversations, path)
        sessions: list[int] = []
        for transcript in transcripts:
            session = await self._terminal.calls.put_in(transcript, path)
            if not session:
                break
            sessions.append(session)
        self._terminal.say(
            f"{counted(len(sessions), 'conversation')} imported; /conversations lists them."
        )
        if len(sessions) == len(transcripts) == 1:
            await self._open(sessions[0])
