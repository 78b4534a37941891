"""What can be done with single messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from gemma_chat.host import protocol as p
from gemma_chat.ui.asking_again import AskingAgain
from gemma_chat.ui.drafts import Draft, draft_of
from gemma_chat.ui.input.slash import escaped
from gemma_chat.ui.message_menu import offered, reply_with_figures
from gemma_chat.ui.own_events import EditBegun, EditEnded
from gemma_chat.ui.state import TabState
from gemma_chat.ui.text import NAME_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.transcript import Transcript

_NOTHING: Final = Draft()
_NONE_SELECTED: Final = "There is no message for that here."


class MessageCommands:
    """Carries out these actions for the app that owns it.

    They are about the selected message; from the palette, with none selected, about the newest
    one that they fit.
    """

    def __init__(self, app: ChatApp) -> None:
        self._app = app
        self._select_next = (0, 0)
        self._walking = 0
        """The tab in which another branch was asked for and is not here yet."""
        self.again = AskingAgain(app, self._about)
        self._going_on: dict[tuple[int, int], p.MessageView] = {}
        """Replies that go on, as they were, by session and turn."""
        self.by_id: Mapping[str, Callable[[], None]] = {
            "message.previous": lambda: self.move(-1),
            "message.next": lambda: self.move(1),
            "message.menu": self.menu,
            "message.copy": self.copy,
            "message.copy_last": self.copy,
            "message.code": self.mark_code,
            "message.edit": self.edit,
            "message.continue": self.go_on,
            "branch.previous": lambda: self.walk(-1),
            "branch.next": lambda: self.walk(1),
            "message.fork": self.fork,
            "message.quote": self.quote,
            "message.pin": self.pin,
            "message.figures": self.figures,
            "message.delete": self.delete,
            **self.again.by_id,
            "queue.up": lambda: self.reorder(-1),
            "queue.down": lambda: self.reorder(1),
        }

    # ------------------------------------------------------------ the cursor

    def move(self, step: Literal[-1, 1]) -> None:
        """Put the cursor on the message above or below; below the last one, into the input."""
        transcript = self._transcript
        tab = self._app.state.active_tab
        if transcript is None or tab is None or not tab.conversation.messages:
            return
        if step > 0 and transcript.selected in (0, tab.last_message):
            self.leave()
            return
        transcript.focus()
        transcript.move_cursor(step)

    def leave(self) -> None:
        """Take the cursor away; the keyboard goes back to the input."""
        if self._transcript is not None:
            self._transcript.select_message(0)
        self._app.window.composer.editor.focus()

    def menu(self) -> None:
        """Let the person choose among all that can be done with the message."""
        found = self._about()
        if found is None:
            return
        from gemma_chat.ui.choice import ChoiceDialog

        tab, message = found

        def chosen(id_: str | None) -> None:
            if id_ is not None:
                self._app.action_run(id_)

        beginning = one_line(message.text, NAME_CELLS) or "message"
        dialog = ChoiceDialog(beginning, offered(tab, message), "enter does it · esc closes")
        self._app.push_screen(dialog, chosen)

    # ------------------------------------------------------------ copying

    def copy(self) -> None:
        """Copy the selected text, else the message."""
        text = self._selected_text
        if not text:
            found = self._about("assistant")
            text = found[1].text if found is not None else ""
        if text:
            self._app.copy_to_clipboard(text)

    def mark_code(self) -> None:
        """Select the next block of code of the message."""
        transcript = self._transcript
        tab = self._app.state.active_tab
        if transcript is None or tab is None:
            return
        if not transcript.selected:
            with_code = (m for m in reversed(tab.conversation.messages) if "```" in m.text)
            newest = next(with_code, None)
            if newest is not None:
                transcript.focus()
                transcript.select_message(newest.message)
        if not transcript.mark_code():
            self._app.say("There is no block of code in this message.", "information")

    def quote(self) -> None:
        """Put the selected text, or the message, into the input as a quotation."""
        found = self._about()
        text = self._selected_text or (found[1].text if found is not None else "")
        session = self._app.state.writing
        if not text or not session:
            return
        self._app.store_draft()
        tab = self._app.state.tab(session)
        quoted = "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())
        there = tab.draft if tab is not None else Draft()
        typed = f"{there.text.rstrip()}\n\n" if there.text.strip() else ""
        full = draft_of(f"{typed}{quoted}\n\n")
        self._app.put_draft(
            session,
            Draft(full.text, (*there.pastes, *full.pastes), there.attachments),
        )
        self.leave()

    @property
    def _selected_text(self) -> str:
        return self._app.window.get_selected_text() or ""

    # ------------------------------------------------------------ asking again

    def edit(self) -> None:
        """Put a question into the input; sending it asks again in its place."""
        found = self._about("user")
        if found is None:
            return
        tab, message = found
        if message.role != "user":
            self._app.say("Your own messages can be edited; r asks for another reply.", "warning")
            return
        self._app.store_draft()
        self._app.change(EditBegun(tab.session, message.message))
        self._app.put_draft(tab.session, draft_of(escaped(message.text)))
        self.leave()

    async def send_edited(self, tab: TabState, message: int, draft: Draft) -> bool:
        """Send this in the place of a message."""
        edited = self._app.calls.edit(tab.session, message, draft, newest=tab.last_message)
        if not await edited:
            return False
        self._app.store_draft()
        now = self._app.state.tab(tab.session)
        self.end_edit(tab.session, typed_since=Draft() if now is None else now.draft)
        return True

    def end_edit(self, session: int, *, typed_since: Draft = _NOTHING) -> None:
        """The message is edited or stays as it is: the draft of before stands there again."""
        tab = self._app.state.tab(session)
        if tab is not None and tab.editing is not None:
            put_aside = tab.editing.put_aside
            self._app.change(EditEnded(session))
            self._app.put_draft(session, put_aside.before(typed_since))
            self.leave()

    def go_on(self) -> None:
        """Let a stopped or cut reply go on."""
        found = self._about("assistant")
        if found is not None:
            tab, message = found
            self._app.spawn(self._go_on(tab.session, message))

    async def _go_on(self, session: int, reply: p.MessageView) -> None:
        turn = await self._app.calls.continue_reply(session, reply.message)
        if turn:
            self._going_on[session, turn] = reply

    def ended(self, event: p.TurnFinished) -> None:
        """Say so when a reply was to go on and the model ended it where it was."""
        before = self._going_on.pop((event.session, event.turn), None)
        tab = self._app.state.tab(event.session)
        if before is None or tab is None or event.reason != "stop":
            return
        after = tab.message(before.message)
        if after is not None and (after.text, after.asides) == (before.text, before.asides):
            self._app.say(
                "The model takes this reply as finished and added nothing. Ask for more in a "
                "message of your own.",
                "information",
            )

    # ------------------------------------------------------------ branches

    def walk(self, step: Literal[-1, 1]) -> None:
        """Show the branch before or after the one that is shown at the message."""
        found = self._about()
        if found is None:
            return
        tab, message = found
        branch = message.branch + step
        if 1 <= branch <= message.branches:
            self._walking = tab.session
            self._app.switch(self._walk(tab.session, message.message, branch))

    async def _walk(self, session: int, message: int, branch: int) -> None:
        app = self._app
        tab = app.state.tab(session)
        if tab is None:
            self._walking = 0
            return
        place, before = tab.place_of(message), tab.conversation.fetch
        if not await app.calls.select_branch(session, message, branch):
            self._walking = 0
            return
        self._select_next = (session, place)
        app.take_events()
        now = app.state.tab(session)
        if now is not None and now.conversation.fetch != before:
            self.arrived(session)

    def lost(self, session: int, message: int) -> None:
        """The message with the cursor is shown no more.

        What is typed then must not be taken for what is to be done with another message; only what
        was asked for here, a walk over branches or another reply, keeps the cursor.
        """
        question = self.again.question_of(session, message)
        if question and self._transcript is not None:
            self._transcript.select_message(question)
        elif self._walking != session:
            self.leave()

    def arrived(self, session: int) -> None:
        """The messages of another branch may be here: the cursor goes to the same place in it."""
        self.again.arrived(session)
        wanted, place = self._select_next
        tab = self._app.state.tab(session)
        if wanted != session or tab is None or self._transcript is None:
            return
        if tab.conversation.reading != "loaded":
            return
        self._select_next, self._walking = (0, 0), 0
        messages = tab.conversation.messages
        if session == self._app.state.active and 0 <= place < len(messages):
            self._transcript.select_message(messages[place].message)

    def fork(self) -> None:
        """Open a tab with the conversation up to the message."""
        found = self._about()
        if found is not None:
            self._app.switch(self._fork(found[0].session, found[1].message))

    async def _fork(self, session: int, message: int) -> None:
        forked = await self._app.calls.fork(session, message)
        if forked:
            self._app.take_events()
            self._app.show_tab(forked)

    def pin(self) -> None:
        """Pin the message, or take its pin away."""
        found = self._about()
        if found is not None:
            tab, message = found
            self._app.spawn(
                self._app.calls.pin(tab.session, message.message, pinned=not message.pinned)
            )

    def figures(self) -> None:
        """Show the figures of the message's reply."""
        found = self._about("assistant")
        reply = None if found is None else reply_with_figures(*found)
        if found is None:
            return
        if reply is None:
            self._app.say("There are no figures of this message yet.", "information")
            return
        from gemma_chat.ui.figures import FiguresDialog

        self._app.push_screen(FiguresDialog(reply))

    # ------------------------------------------------------------ deleting and the queue

    def delete(self) -> None:
        """Cancel a waiting message; ask what of any other is to be deleted."""
        found = self._about()
        if found is None:
            return
        tab, message = found
        if message.state == "queued":
            self._app.switch(self._cancel(tab, message))
            return
        from gemma_chat.ui.choice import Choice, ChoiceDialog

        after = len(tab.conversation.messages) - tab.place_of(message.message) - 1
        choices = [
            Choice("exchange", "this question and its reply", "what follows stays", "x"),
            Choice("following", "all from here on", f"{after} more below, all branches", "a"),
            Choice("", "nothing", "", "n"),
        ]

        def chosen(scope: str) -> None:
            match scope:
                case "exchange" | "following":
                    self._app.switch(self._delete(tab, message.message, scope))

        self._app.push_screen(ChoiceDialog("Delete for good", choices, at_once=chosen))

    async def _delete(
        self, tab: TabState, message: int, scope: Literal["exchange", "following"]
    ) -> bool:
        done = await self._app.calls.delete(tab.session, message, tab.last_message, scope)
        if done:
            self.leave()
        return done

    async def _cancel(self, tab: TabState, message: p.MessageView) -> None:
        app = self._app
        if not await self._delete(tab, message.message, "exchange"):
            return
        app.store_draft()
        now = app.state.tab(tab.session)
        if now is not None and now.draft.empty and now.editing is None:
            app.put_draft(tab.session, draft_of(escaped(message.text)))

    def reorder(self, step: Literal[-1, 1]) -> None:
        """Exchange a waiting message with the one before or behind it."""
        found = self._about()
        if found is None:
            return
        tab, message = found
        waiting = [one for one in tab.conversation.messages if one.state == "queued"]
        turns = [one.turn for one in waiting]
        place = next((i for i, one in enumerate(waiting) if one is message), -1)
        if place < 0:
            self._app.say("Only messages that wait can change places.", "information")
            return
        other = place + step
        if 0 <= other < len(turns):
            turns[place], turns[other] = turns[other], turns[place]
            target = waiting[other].message
            self._app.switch(self._reorder(tab.session, tuple(turns), target))

    async def _reorder(self, session: int, turns: tuple[int, ...], target: int) -> None:
        if await self._app.calls.reorder_queue(session, turns) and self._transcript is not None:
            self._transcript.select_message(target)

    # ------------------------------------------------------------ which message

    @property
    def _transcript(self) -> Transcript | None:
        return self._app.window.transcript

    def _about(
        self, newest: Literal["user", "assistant", "any"] = "any"
    ) -> tuple[TabState, p.MessageView] | None:
        """The selected message; with none selected the newest one of this role."""
        tab = self._app.state.active_tab
        if tab is None:
            return None
        # Where the cursor stands now; the state hears of it a moment later.
        at = 0 if self._transcript is None else self._transcript.selected
        selected = tab.message(at)
        if selected is not None:
            return tab, selected
        for message in reversed(tab.conversation.messages):
            if newest in ("any", message.role):
                return tab, message
        self._app.say(_NONE_SELECTED, "information")
        return None
