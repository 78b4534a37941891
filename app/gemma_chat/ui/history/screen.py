"""The history: all conversations, found by what was said in them, to open, export and delete."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from gemma_chat.host.protocol import ConversationView
from gemma_chat.quantities import counted
from gemma_chat.ui.bindings import bindings_of
from gemma_chat.ui.choice import Choice, ChoiceDialog
from gemma_chat.ui.dialog import Dialog, DialogBox
from gemma_chat.ui.history.conversation_list import ConversationList
from gemma_chat.ui.history.drawing import preview_of_messages, preview_of_passages, title_of
from gemma_chat.ui.host_calls import MOST_SEARCHED
from gemma_chat.ui.offers import Offers, offer

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.keymap import Keymap
    from gemma_chat.ui.library_commands import LibraryCommands

PAGE: Final = 100
"""Conversations that are fetched at once."""
_WHOLE_PAGE: Final = 1000
"""The same when all of them are wanted; the most the host gives."""
_PREVIEWED: Final = 12
"""Messages or passages of a preview."""
_SHORT: Final = {
    "history.restore": "open",
    "history.mark": "mark",
    "history.mark_all": "all",
    "history.export": "export",
    "history.delete": "delete",
}


class HistoryScreen(Dialog[int]):
    """Answers with the conversation to open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 'line')", show=False, priority=True),
        Binding("down", "move(1, 'line')", show=False, priority=True),
        Binding("pageup", "move(-1, 'page')", show=False, priority=True),
        Binding("pagedown", "move(1, 'page')", show=False, priority=True),
        *bindings_of("history", "run"),
    ]
    DEFAULT_CSS = """
    HistoryScreen DialogBox { width: 140; height: 100%; max-height: 100%; }
    HistoryScreen Input, HistoryScreen Input:focus { border: none; height: 1; padding: 0; }
    HistoryScreen #history-body { height: 1fr; margin: 1 0; }
    HistoryScreen VerticalScroll {
        width: 1fr; height: 1fr; padding: 0 1; border-left: solid $foreground 15%;
        scrollbar-size-vertical: 1;
    }
    HistoryScreen.-narrow #history-body { layout: vertical; }
    HistoryScreen.-narrow VerticalScroll {
        width: 1fr; height: 40%; padding: 0; border-left: none;
        border-top: solid $foreground 15%;
    }
    HistoryScreen.-low #history-body { margin: 0; }
    HistoryScreen.-narrow.-low VerticalScroll { display: none; }
    """

    def __init__(self, app: ChatApp, commands: LibraryCommands) -> None:
        super().__init__()
        self._calls = app.calls
        self._say = app.say
        self._spawn = app.spawn
        self._commands = commands
        self._keymap = app.keymap
        self._run = {
            "history.restore": self.restore,
            "history.mark": self.mark,
            "history.mark_all": self.mark_all,
            "history.export": self.export,
            "history.delete": self.delete,
        }
        self._input = Input(placeholder="words that were said, or of a title", compact=True)
        self._input.max_length = MOST_SEARCHED
        self._list = ConversationList()
        self._preview = Static(markup=False)
        self._keys = Offers()
        self._box = DialogBox("History", "esc closes")
        self._views: list[ConversationView] = []
        self._marked: dict[int, ConversationView] = {}
        self._more = False
        self._words = ""
        self._asked = 0
        """The number of the newest request for a list: answers to older ones are let go."""
        self._previewed = 0
        self._fetching = False

    def compose(self) -> ComposeResult:
        with self._box:
            yield self._input
            with Horizontal(id="history-body"):
                yield self._list
                with VerticalScroll(can_focus=False):
                    yield self._preview
            yield self._keys

    def on_mount(self) -> None:
        self._spawn(self._search())

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._keys.show(_offers(self._keymap), self._box.content_region.width)
        if self._views:
            self.call_after_refresh(self._draw_list)

    # ------------------------------------------------------------ finding

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()
        self._words = message.value.strip()
        self._spawn(self._search())

    async def _search(self, *, keep_place: bool = False) -> None:
        self._asked += 1
        asked, words = self._asked, self._words
        limit = max(PAGE, min(len(self._views), _WHOLE_PAGE)) if keep_place else PAGE
        found = await self._calls.conversations(words, 0, limit)
        if asked != self._asked or not self.is_attached:
            return
        self._views = list(found.conversations) if found is not None else []
        self._more = found is not None and found.more
        if not keep_place:
            self._list.highlighted = None
        if self._views:
            self._draw_list()
        else:
            self._list.say(_why_empty(words, failed=found is None))
        self._tell_count()
        self._show_preview()

    async def _fetch_more(self, limit: int = PAGE) -> None:
        if self._fetching or not self._more:
            return
        self._fetching = True
        try:
            asked = self._asked
            found = await self._calls.conversations(self._words, len(self._views), limit)
            if found is None or asked != self._asked or not self.is_attached:
                return
            there = {view.session for view in self._views}
            added = [view for view in found.conversations if view.session not in there]
            self._views += added
            # Without a new one the list would be asked for without end.
            self._more = found.more and bool(added)
            self._list.add(added, set(self._marked), time.time())
            self._tell_count()
        finally:
            self._fetching = False

    def on_conversation_list_more_wanted(self) -> None:
        self._spawn(self._fetch_more())

    def _draw_list(self) -> None:
        self._list.fill(self._views, set(self._marked), time.time())

    def _tell_count(self) -> None:
        more = "+" if self._more else ""
        parts = [f"History · {len(self._views):,}{more}"]
        if self._marked:
            parts.append(f"{len(self._marked):,} marked")
        self._box.border_title = " · ".join(parts)

    # ------------------------------------------------------------ the preview

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        message.stop()
        self._show_preview()

    def _show_preview(self) -> None:
        self._previewed += 1
        view = self._current
        if view is None:
            self._preview.update("")
        else:
            self._spawn(self._fetch_preview(view, self._words, self._previewed))

    async def _fetch_preview(self, view: ConversationView, words: str, number: int) -> None:
        hits = await self._calls.passages(view.session, words, _PREVIEWED + 1) if words else ()
        if hits:
            more = len(hits) > _PREVIEWED
            page = preview_of_passages(view, hits[:_PREVIEWED], more=more)
        else:
            messages = await self._calls.newest_messages(view.session, _PREVIEWED)
            page = preview_of_messages(view, messages)
        if number == self._previewed and self.is_attached:
            self._preview.update(page)
            self.query_one(VerticalScroll).scroll_home(animate=False)

    # ------------------------------------------------------------ what can be done

    def action_run(self, action: str) -> None:
        """Carry out an action of the table."""
        self._run[action]()

    def on_offers_pressed(self, message: Offers.Pressed) -> None:
        self.action_run(message.id)

    def action_move(self, step: int, by: Literal["line", "page"]) -> None:
        """Move the cursor of the list."""
        self._list.move(step * (self._list.page_lines if by == "page" else 1))

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        message.stop()
        self.restore()

    def on_conversation_list_mark_clicked(self, message: ConversationList.MarkClicked) -> None:
        self._toggle(message.line)

    def restore(self) -> None:
        """Open the conversation under the cursor."""
        if self._current is not None:
            self.dismiss(self._current.session)

    def mark(self) -> None:
        """Mark the conversation under the cursor, or take its mark away, and go on to the next."""
        line = self._list.highlighted
        if line is not None and line < len(self._views):
            self._toggle(line)
            if line + 1 < len(self._views):
                self._list.move(1)

    def _toggle(self, line: int) -> None:
        view = self._views[line]
        if self._marked.pop(view.session, None) is None:
            self._marked[view.session] = view
        self._list.draw(line, view, marked=view.session in self._marked, now=time.time())
        self._tell_count()

    def mark_all(self) -> None:
        """Mark all that were found; when all of them are, take all marks away."""
        self._spawn(self._mark_all())

    async def _mark_all(self) -> None:
        asked = self._asked
        while self._more and asked == self._asked and self.is_attached:
            there = len(self._views)
            await self._fetch_more(_WHOLE_PAGE)
            if len(self._views) == there:
                break
        if asked != self._asked or not self.is_attached:
            return
        found = {view.session: view for view in self._views}
        self._marked = {} if found.keys() <= self._marked.keys() else {**self._marked, **found}
        if self._views:
            self._draw_list()
        self._tell_count()

    def export(self) -> None:
        """Write the marked conversations to files."""
        if self._meant:
            self._commands.export_these(self._meant)

    def delete(self) -> None:
        """Delete the marked conversations, when the person confirms it."""
        meant = self._meant
        if not meant:
            return

        def confirmed(answer: str | None) -> None:
            if answer == "delete":
                self._spawn(self._delete(meant))

        self.app.push_screen(confirmation(meant), confirmed)

    async def _delete(self, meant: Sequence[ConversationView]) -> None:
        if not await self._calls.delete_conversations(tuple(view.session for view in meant)):
            return
        for view in meant:
            self._marked.pop(view.session, None)
        self._say(f"{counted(len(meant), 'conversation')} deleted.", "information")
        if self.is_attached:
            await self._search(keep_place=True)

    @property
    def _current(self) -> ConversationView | None:
        line = self._list.highlighted
        return self._views[line] if line is not None and line < len(self._views) else None

    @property
    def _meant(self) -> tuple[ConversationView, ...]:
        """The marked conversations; without marks, the one under the cursor."""
        if self._marked:
            return tuple(self._marked.values())
        return (self._current,) if self._current is not None else ()


def confirmation(meant: Sequence[ConversationView]) -> ChoiceDialog:
    """The question before conversations are deleted; it names how many."""
    name = f"“{title_of(meant[0], 30)}”" if len(meant) == 1 else counted(len(meant), "conversation")
    messages = sum(view.message_count for view in meant)
    tabs = sum(view.open for view in meant)
    closed = f", {counted(tabs, 'open tab')}" if tabs else ""
    about = f"{counted(messages, 'message')}{closed}"
    return ChoiceDialog(
        f"Delete {name} for good?",
        (
            Choice("keep", "Keep", key="k"),
            Choice("delete", "Delete", about, key="d"),
        ),
    )


def _why_empty(words: str, *, failed: bool) -> str:
    if failed:
        return "The conversations cannot be listed now.\nType to try again."
    if words:
        return "None has all these words."
    return "No conversations yet.\nWhat is said in a tab stays here."


def _offers(keymap: Keymap) -> Iterator[tuple[str, Content]]:
    for id_, word in _SHORT.items():
        yield id_, offer(keymap.first_key(id_), word)
