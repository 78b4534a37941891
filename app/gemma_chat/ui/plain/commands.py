"""The commands of the plain line mode: those of the input box that make sense without a screen.

Names and meanings are those of `ui.input.slash`; what the screen shows all the time, or opens in a
panel, has a few commands of its own here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import msgspec

from gemma_chat.ui.actions import action
from gemma_chat.ui.input.slash import (
    COMMANDS,
    SETTING,
    Call,
    Command,
    Table,
    command_named,
    split,
    table_of,
)
from gemma_chat.ui.plain.change_commands import ChangeCommands
from gemma_chat.ui.plain.message_commands import MessageCommands
from gemma_chat.ui.plain.model_commands import ModelCommands
from gemma_chat.ui.plain.selection import Selection
from gemma_chat.ui.plain.setting_commands import SettingCommands
from gemma_chat.ui.plain.tab_commands import TabCommands
from gemma_chat.ui.plain.words import lock_lines
from gemma_chat.ui.text import NAME_CELLS, one_line

if TYPE_CHECKING:
    from gemma_chat.ui.plain.terminal import PlainTerminal

_OF_THE_SCREEN: Final = frozenset(("input.vi", "tab.compare", "program.theme"))
_ARGUMENTS: Final = {
    "search.open": "WORDS",
    "history.open": "[WORDS]",
    "program.help": "[COMMAND]",
    "model.load": "[NUMBER | FILE]",
    "history.import": "FILE",
    "input.history": "[NUMBER]",
    "message.attach": "FILE",
}
"""Where a dialog of the screen would ask, the argument does."""


def _about_message(id_: str, name: str, argument: str = "") -> Command:
    """What has only a key on the screen, where the cursor stands on a message."""
    own = action(id_)
    return Command(id_, (name,), argument, own.label, own.explanation)


_OWN: Final = (
    Command("plain.tabs", ("tabs",), "", "All tabs", "With their numbers and how they stand."),
    Command(
        "plain.tab",
        ("tab",),
        "[NUMBER | TITLE]",
        "Go to a tab",
        "By its number or a part of its title; alone it says where you are.",
    ),
    Command(
        "plain.show",
        ("show",),
        "[NUMBER | thoughts]",
        "Read messages again",
        "The last two, or so many; with thoughts, what the model thought for its last reply.",
    ),
    Command(
        "plain.message",
        ("message",),
        "[NUMBER | WORDS | none]",
        "Select a message",
        "Counted back from the newest, 1, or by words in it; the commands about messages are about "
        "it then, else about the newest. Alone it reads the selected one.",
    ),
    _about_message("message.edit", "resend", "[none]"),
    Command(
        "plain.branch",
        ("branch",),
        "[NUMBER]",
        "Go to another branch",
        "Of those that begin at the message; alone it says how many there are.",
    ),
    _about_message("message.delete", "delete", "[exchange | following]"),
    _about_message("message.quote", "quote"),
    _about_message("message.pin", "keep"),
    Command(
        "plain.draft",
        ("draft",),
        "",
        "Bring the draft into the line",
        "What was typed in this tab and not sent, here or at another terminal.",
    ),
    Command(
        "plain.thinking",
        ("thinking",),
        "[on | off]",
        "Thinking",
        "Whether the model thinks before it answers; alone it says how it is.",
    ),
    Command(
        "plain.tools",
        ("tools",),
        "[NAME | files FOLDER]",
        "Tools of this tab",
        "Turns one on or off; before it is called you are asked. Alone it lists them.",
    ),
    Command(
        "plain.open",
        ("open",),
        "NUMBER",
        "Open a conversation",
        "By its number from /conversations.",
    ),
)


def _plain(command: Command) -> Command:
    argument = _ARGUMENTS.get(command.id, command.argument)
    return msgspec.structs.replace(command, argument=argument)


PLAIN_COMMANDS: Final = (
    *_OWN,
    *(_plain(command) for command in COMMANDS if command.id not in _OF_THE_SCREEN),
)
TABLE: Final[Table] = table_of(PLAIN_COMMANDS)


def screen_only(text: str) -> str:
    """A sentence when the command typed is one of the full screen only; else empty."""
    command = command_named(split(text)[0])
    if command is None or command.id not in _OF_THE_SCREEN:
        return ""
    return f"/{command.names[0]} belongs to the full screen; there is nothing to show it on here."


class PlainCommands:
    """Carries out what was typed as a command."""

    def __init__(self, terminal: PlainTerminal) -> None:
        self._terminal = terminal
        self.tabs = TabCommands(terminal)
        self.selection = Selection(terminal)
        self.messages = MessageCommands(terminal, self.selection)
        self.models = ModelCommands(terminal)
        self._settings = SettingCommands(terminal)
        self._by_id: dict[str, Callable[[str], Awaitable[None]]] = {
            **self.tabs.by_id,
            **self.messages.by_id,
            **ChangeCommands(terminal, self.selection).by_id,
            **self.models.by_id,
            **self._settings.by_id,
            "panel.lock": self.queue,
            "plain.draft": self.draft,
            "program.help": self.help,
            "program.detach": self.detach,
            "program.quit": self.quit,
        }

    async def run(self, call: Call) -> None:
        """Carry out a command; raises `GemmaChatError` about its argument."""
        id_ = call.command.id
        if id_.startswith(SETTING):
            await self._settings.change(id_.removeprefix(SETTING), call.argument)
        else:
            await self._by_id[id_](call.argument)

    async def draft(self, argument: str) -> None:
        """Let the tab's draft stand in the line."""
        self._terminal.bring_draft()

    async def queue(self, argument: str) -> None:
        """Say who generates and who waits."""
        for line in lock_lines(self._terminal.state):
            self._terminal.say(line)

    async def help(self, name: str) -> None:
        """Say what there is to type, or what one command does."""
        say = self._terminal.say
        if name:
            command = command_named(name.removeprefix("/"), TABLE)
            shown = one_line(name, NAME_CELLS)
            if command is None:
                say(f"There is no command {shown}. /help lists them.", "warning")
            else:
                say(f"{command.usage}: {command.label}. {command.explanation}")
            return
        for line in HELP:
            say(line)
        for command in PLAIN_COMMANDS:
            if not command.id.startswith(SETTING):
                say(f"{command.usage}: {command.label}.")
        names = ", ".join(
            f"/{command.names[0]}" for command in PLAIN_COMMANDS if command.id.startswith(SETTING)
        )
        say(f"Sampling settings of this tab, with a number or alone: {names}.")

    async def detach(self, argument: str) -> None:
        """Leave, and let the host stay however long nobody comes."""
        # Whoever detaches relies on it: without the host's word this terminal stays.
        if await self._terminal.calls.detach():
            from gemma_chat.ui.leaving import detached

            self._terminal.say(detached(self._terminal.options.command))
            self._terminal.leave(None)

    async def quit(self, argument: str) -> None:
        """Leave; with the last terminal the host leaves too, after `host.keep_alive`."""
        await self._terminal.quit()


HELP: Final = (
    "Type a message and press enter; \\ at the end of a line begins another line, and lines that "
    "are pasted together are one message. /edit writes in your editor.",
    "While a reply is written you can go on typing: a message waits for its turn, a command is "
    "carried out at once. Ctrl+C stops the reply and keeps what there is of it.",
    "Arrow up brings back what was sent before, the tabulator completes a command. // is a slash "
    "that is meant as text. Ctrl+D leaves; replies go on in the host.",
    "Commands:",
)
