"""Commands typed into the input: `/temp 0.2`. The table is made from the actions and settings.

A message that begins with a slash is a command; `//` stands for a slash that is meant as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from gemma_chat.config.sampling import SAMPLING_FIELDS
from gemma_chat.ui.actions import ACTIONS, Action

Completes = Literal[
    "nothing", "file", "role", "preset", "prompt", "theme", "setting", "model", "mark"
]
"""What an argument is completed from."""

_COMPLETES: dict[str, Completes] = {
    "input.file": "file",
    "message.attach": "file",
    "history.import": "file",
    "input.prompt": "prompt",
    "tab.role": "role",
    "tab.preset": "preset",
    "tab.reset": "setting",
    "program.theme": "theme",
    "model.load": "model",
    "message.regenerate": "preset",
    "tab.mark": "mark",
}
_SHORT_NAMES = {
    "temperature": ("temp",),
    "random_seed": ("seed",),
    "max_output_tokens": ("limit",),
}
SETTING = "setting."
"""Before the name of a sampling setting: the id of the command that changes it."""

_SHOWN_CHARACTERS = 40


class Command(msgspec.Struct, frozen=True):
    """One command. `id` is that of its action, or `setting.` and the name of a setting."""

    id: str
    names: tuple[str, ...]
    """Without the slash; the first one is shown."""
    argument: str
    label: str
    explanation: str
    completes: Completes = "nothing"

    @property
    def usage(self) -> str:
        """How it is typed: `/temp NUMBER`."""
        return f"/{self.names[0]} {self.argument}".rstrip()

    @property
    def needs_argument(self) -> bool:
        """Without an argument there is nothing to do."""
        return bool(self.argument) and not self.argument.startswith("[")


class Call(msgspec.Struct, frozen=True):
    """A command as it was typed."""

    command: Command
    argument: str


class Refusal(msgspec.Struct, frozen=True):
    """Why what was typed is no command."""

    sentence: str


def of_action(action: Action) -> Command:
    """The command that does the same as an action with `slash`."""
    completes = _COMPLETES.get(action.id, "nothing")
    return Command(
        action.id, action.slash, action.argument, action.label, action.explanation, completes
    )


def _of_settings() -> tuple[Command, ...]:
    return tuple(
        Command(
            f"{SETTING}{field.name}",
            (*_SHORT_NAMES.get(field.name, ()), field.name),
            "[NUMBER | none]" if field.optional else "[NUMBER]",
            field.label,
            f"{field.explanation} Allowed: {field.allowed}.",
        )
        for field in SAMPLING_FIELDS
    )


COMMANDS: tuple[Command, ...] = (
    *(of_action(action) for action in ACTIONS if action.slash),
    *_of_settings(),
)
Table = Mapping[str, Command]
"""Commands by all their names."""


def table_of(commands: Iterable[Command]) -> Table:
    """The commands by all their names; of two with one name the later one counts."""
    return {name: command for command in commands for name in command.names}


_BY_NAME: Final = table_of(COMMANDS)


def command_named(name: str, table: Table = _BY_NAME) -> Command | None:
    """The command with this name, without the slash; `-` and `_` are the same in it."""
    return table.get(name.lower().replace("-", "_"))


def is_command(text: str) -> bool:
    """Whether a message is meant as a command."""
    return text.startswith("/") and not text.startswith("//")


def literal(text: str) -> str:
    """A message as it is sent: the first of two slashes at its beginning is left out."""
    return text[1:] if text.startswith("//") else text


def escaped(text: str) -> str:
    """The inverse of `literal`: a sent message as it is typed."""
    return f"/{text}" if text.startswith("/") else text


def parse(text: str, table: Table = _BY_NAME) -> Call | Refusal:
    """Read a command with its argument, which may have several lines."""
    name, argument = split(text)
    command = command_named(name, table)
    if command is None:
        return Refusal(_unknown(name, table))
    argument = argument.strip()
    if command.needs_argument and not argument:
        return Refusal(f"{command.usage}: the {command.argument} is missing. {command.explanation}")
    if argument and not command.argument:
        return Refusal(f"/{command.names[0]} takes nothing after its name.")
    return Call(command, argument)


def split(text: str) -> tuple[str, str]:
    """The name and what follows it, of a text that begins with a slash."""
    body = text[1:]
    end = next((i for i, character in enumerate(body) if character.isspace()), len(body))
    return body[:end], body[end + 1 :]


def _unknown(name: str, table: Table) -> str:
    import difflib

    shown = "".join(c if c.isprintable() else "·" for c in name[:_SHOWN_CHARACTERS])
    nearest = difflib.get_close_matches(name[:100].lower(), list(table), n=1, cutoff=0.5)
    advice = f"Did you mean /{nearest[0]}?" if nearest else "/help lists them."
    return f"There is no command /{shown}. {advice} To send it as text, begin with //."


def markdown_command_table() -> str:
    """The table of commands of the README; the sampling settings take one row together."""
    rows = ["| command | what |", "|---|---|"]
    for command in COMMANDS:
        if not command.id.startswith(SETTING):
            usage = command.usage.replace("|", "\\|")
            rows.append(f"| `{usage}` | {command.label} |")
    names = " ".join(f"`/{c.names[0]}`" for c in COMMANDS if c.id.startswith(SETTING))
    rows.append(f"| {names} | A sampling setting of this tab; without a number, what it is. |")
    return "\n".join(rows) + "\n"
