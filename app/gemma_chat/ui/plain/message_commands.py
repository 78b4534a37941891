"""Commands about messages: read, select, stop, ask again, go on, fork, copy, find, enclose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.quantities import counted
from gemma_chat.ui.drafts import draft_of
from gemma_chat.ui.input.slash import escaped
from gemma_chat.ui.message_menu import reply_with_figures
from gemma_chat.ui.plain.replies import ASSISTANT, YOU
from gemma_chat.ui.plain.words import explained
from gemma_chat.ui.reply_figures import figures_of
from gemma_chat.ui.setting_changes import SettingChanges, another_seed
from gemma_chat.ui.text import LINE_CELLS, NAME_CELLS, SENTENCE_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.selection import Selection
    from gemma_chat.ui.plain.terminal import PlainTerminal

MOST_FOUND: Final = 10
MOST_SENT: Final = 10
_SHOWN: Final = 2
_STATES: Final[dict[p.MessageState, str]] = {
    "complete": "",
    "queued": "It waits for its turn.",
    "streaming": "It is being written.",
    "stopped": "Stopped here; /continue goes on.",
    "length": "Cut here; /continue goes on.",
    "interrupted": "Interrupted here; /continue goes on.",
    "failed": "Failed.",
}


class MessageCommands:
    """Carries these out for the terminal that owns it; all are about the tab that is shown."""

    def __init__(self, terminal: PlainTerminal, selection: Selection) -> None:
        self._terminal = terminal
        self._selection = selection
        self._settings = SettingChanges(terminal, terminal.change_settings)
        self.by_id: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "plain.show": self.show,
            "plain.message": self.select,
            "turn.stop": self.stop,
            "message.regenerate": self.again,
            "message.continue": self.go_on,
            "message.fork": self.fork,
            "message.copy_last": self.copy,
            "message.figures": self.figures,
            "message.attach": self.attach,
            "search.open": self.search,
            "input.file": self.enclose,
            "input.prompt": self.prompt,
            "input.history": self.sent,
            "input.editor": self.edit,
        }

    # ------------------------------------------------------------ reading

    async def show(self, wish: str) -> None:
        """Read the last messages, or the thoughts of the last reply."""
        if wish.strip().lower() == "thoughts":
            await self._show_thoughts()
            return
        wish = wish.strip() or str(_SHOWN)
        if not wish.isdecimal() or int(wish[:9]) < 1:
            raise SettingsError(
                f"/show takes a number of messages, not {one_line(wish, NAME_CELLS)}."
            )
        tab = await self._selection.tab()
        messages = tab.conversation.messages[-int(wish[:9]) :]
        for message in messages:
            self.read(message)
        if not messages:
            self._terminal.say("Nothing was said in this tab yet.")

    async def select(self, wish: str) -> None:
        """Select the message that the commands about one are to be about, and read it."""
        selected = await self._selection.find(wish) if wish else await self._selection.chosen()
        if selected is None:
            self._terminal.say("No message is selected: commands are about the newest one.")
        else:
            self.read(selected)

    def read_last_reply(self) -> None:
        """Read the newest reply of the tab, as far as it was fetched."""
        tab = self._terminal.state.active_tab
        messages = () if tab is None else tab.conversation.messages
        last = messages[-1] if messages else None
        if last is not None and last.role == "assistant":
            self.read(last)

    def read(self, message: p.MessageView) -> None:
        """Read a message: who, in which branch, the text, what went with it, how it ended."""
        speech = self._terminal.speech
        who = YOU if message.role == "user" else ASSISTANT
        if message.branches > 1:
            who += f", branch {message.branch} of {message.branches}"
        speech.say_whole(who, message.text)
        for file in message.attachments:
            speech.say(f"Attached: {one_line(file.name, LINE_CELLS)}.")
        if note := one_line(message.error, SENTENCE_CELLS) or _STATES[message.state]:
            speech.say(note)

    async def _show_thoughts(self) -> None:
        _, reply = await self._selection.about("assistant")
        thoughts = [aside for aside in reply.asides if isinstance(aside, p.Thought)]
        for thought in thoughts:
            self._terminal.speech.say_whole("Thought", thought.text)
        if not thoughts:
            self._terminal.say("The model has not thought before this reply.")

    async def search(self, words: str) -> None:
        """Say where these words stand in the conversation."""
        tab = await self._selection.tab()
        hits = await self._terminal.calls.passages(tab.session, words, MOST_FOUND)
        for hit in hits:
            who = YOU if hit.role == "user" else ASSISTANT
            self._terminal.speech.say_whole(who, hit.snippet)
        if not hits:
            self._terminal.say("No message of this tab has all these words.")

    async def figures(self, argument: str) -> None:
        """Say the figures of the reply."""
        reply = reply_with_figures(*await self._selection.about("assistant"))
        if reply is None:
            raise SettingsError("There are no figures of this message yet.")
        for name, figure in figures_of(reply):
            self._terminal.say(f"{name.strip().capitalize()}: {figure}.")

    async def copy(self, argument: str) -> None:
        """Give the message to a clipboard program, or write it to a file."""
        from gemma_chat.ui.clipboard import Clipboard

        _, reply = await self._selection.about("assistant")
        options = self._terminal.options
        # The terminal itself would have to be asked by a control sequence.
        environment = {k: v for k, v in options.environment.items() if k != "STY"}
        environment["TERM"] = "dumb"
        clipboard = Clipboard(_write_nothing, environment, options.state_dir)
        copied = await clipboard.copy(reply.text)
        self._terminal.say(copied.sentence, "error" if copied.way == "nowhere" else "information")

    # ------------------------------------------------------------ turns

    async def stop(self, argument: str) -> None:
        """Stop this tab's reply."""
        if not await self.stop_reply():
            raise SettingsError("No reply is being written in this tab.")

    async def stop_reply(self) -> bool:
        """End the tab's oldest turn; whether there was one. A question that waited is kept."""
        terminal = self._terminal
        tab = terminal.state.active_tab
        entry = None if tab is None else terminal.state.own_turn(tab.session)
        if tab is None or (entry is None and not tab.view.calling):
            return False
        question = ""
        if entry is not None and entry.phase == "queued":
            messages = tab.conversation.messages
            found = (m.text for m in messages if m.turn == entry.turn and m.role == "user")
            question = next(found, "")
        stopped = await terminal.calls.stop(tab.session, 0 if entry is None else entry.turn)
        if stopped and question:
            terminal.keep_draft(tab.session, draft_of(escaped(question)))
            terminal.say("Withdrawn, and kept as a draft: /draft brings it back.")
        return True

    async def again(self, preset: str) -> None:
        """Have the question answered once more, with a preset for this reply only if one is named.

        What is selected then is the new reply.
        """
        tab, reply = await self._selection.about("assistant")
        terminal, settings = self._terminal, tab.view.settings
        sampling = another_seed(settings.sampling, reply.branches)
        if preset:
            sampling = self._settings.preset_named(preset).applied_to(settings).sampling
        self._selection.leave()
        with terminal.replies.asking(tab.session):
            turn = await terminal.calls.regenerate(
                tab.session, reply.message, sampling, newest=tab.last_message
            )
            if turn:
                terminal.replies.follow_turn(tab.session, turn)

    async def go_on(self, argument: str) -> None:
        """Let a stopped or cut reply go on."""
        tab, reply = await self._selection.about("assistant")
        terminal = self._terminal
        with terminal.replies.asking(tab.session):
            turn = await terminal.calls.continue_reply(tab.session, reply.message)
            if turn:
                terminal.replies.follow_turn(tab.session, turn, known=reply)

    async def fork(self, argument: str) -> None:
        """Open a tab with the conversation up to here."""
        tab, selected = await self._selection.tab(), await self._selection.chosen()
        terminal = self._terminal
        at = tab.last_message if selected is None else selected.message
        session = await terminal.calls.fork(tab.session, at)
        if session:
            await terminal.until(lambda: terminal.state.tab(session) is not None)
            await terminal.show_tab(session)

    # ------------------------------------------------------------ what goes with a message

    async def attach(self, typed: str) -> None:
        """Let an image or recording go with the next message."""
        from gemma_chat.media.limits import MOST_FILES
        from gemma_chat.ui.attaching.attached import read_attached

        terminal = self._terminal
        there = terminal.enclosed.attachments
        if len(there) >= MOST_FILES:
            raise SettingsError(f"One message takes {MOST_FILES} files. Send it first.")
        file = await asyncio.to_thread(read_attached, Path(typed))
        attachments = (*there, file)
        terminal.enclosed = msgspec.structs.replace(terminal.enclosed, attachments=attachments)
        terminal.say(
            f"{one_line(file.name, LINE_CELLS)}, {file.words}, goes with the next message."
        )

    async def enclose(self, typed: str) -> None:
        """Let a file go with the next message: its text, or as an attachment what is none."""
        from gemma_chat.ui.attaching.attached import SUFFIXES
        from gemma_chat.ui.input.files import as_block, file_text

        terminal, path = self._terminal, Path(typed)
        if path.suffix.lower() in SUFFIXES:
            await self.attach(typed)
            return
        text = await asyncio.to_thread(file_text, path)
        terminal.enclosed = terminal.enclosed.with_paste(as_block(path, text))
        name = one_line(path.name, LINE_CELLS)
        terminal.say(f"{name}, {counted(len(text), 'character')}, goes with the next message.")

    async def prompt(self, name: str) -> None:
        """Bring a prompt into the line, or say which there are."""
        terminal = self._terminal
        found = terminal.library.prompts()
        for problem in found.problems:
            terminal.say(problem, "warning")
        if not name:
            for each in found.items:
                terminal.say(explained(each.name, each.explanation))
            terminal.say("/prompt NAME brings one into the line.")
            return
        prompt = found.named(name)
        if prompt is None:
            raise SettingsError(f"There is no prompt {name[:40]!r}. /prompt lists them all.")
        terminal.to_edit = prompt.text
        if prompt.blanks:
            blanks = ", ".join(one_line(blank.name, NAME_CELLS) for blank in prompt.blanks)
            terminal.say(f"Fill in, in the place of the double braces: {blanks}.")

    async def sent(self, number: str) -> None:
        """Say the messages sent last, or bring one of them into the line."""
        messages = self._terminal.options.sent.newest_first[1:]
        if number.strip().isdecimal() and 0 < int(number.strip()[:9]) <= len(messages):
            self._terminal.to_edit = messages[int(number.strip()[:9]) - 1]
            return
        if number:
            raise SettingsError(f"There is no sent message {one_line(number, NAME_CELLS)}.")
        for place, text in enumerate(messages[:MOST_SENT], 1):
            self._terminal.say(f"{place}. {one_line(text, LINE_CELLS)}")
        self._terminal.say("/history NUMBER brings one into the line.")

    async def edit(self, argument: str) -> None:
        """Where there is no terminal for an editor, say so; else the keyboard's side does it."""
        raise SettingsError("An editor needs a terminal; here what is typed comes from a pipe.")


def _write_nothing(sequence: str) -> None:
    """Nothing but text is written here."""
