"""What the input offers while a person types: commands, their arguments, files after an `@`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from gemma_chat.ui.input.slash import COMMANDS, Completes, command_named, is_command, split

MOST_OFFERED = 50
Kind = Literal["command", "argument", "folder", "file"]

_AT = re.compile(r"(?:^|(?<=[\s(\[{<\"']))@((?:\\ |[^\s@])*)$")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing that can be put in the place of what was typed."""

    text: str
    label: str
    explanation: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Offer:
    """Suggestions for the columns `start` to `end` of the line."""

    start: int
    end: int
    suggestions: tuple[Suggestion, ...]


class Sources(Protocol):
    """Where the names come from that only the program knows."""

    def names(self, kind: Completes) -> list[tuple[str, str]]:
        """The names of a kind, each with a line about it."""

    def paths(self, typed: str) -> list[str]:
        """Paths that begin as typed; those of folders end with a slash."""


def offer(line: str, column: int, *, first_line: bool, sources: Sources) -> Offer | None:
    """What fits before the cursor at `column` of `line`; `None` when nothing does."""
    before = line[:column]
    if first_line and is_command(before):
        found = _command(before, column, sources)
    elif match := _AT.search(before):
        typed = match.group(1).replace("\\ ", " ")
        found = Offer(match.start(), column, _paths(typed, sources))
    else:
        return None
    return found if found is not None and found.suggestions else None


def _command(before: str, column: int, sources: Sources) -> Offer | None:
    name, argument = split(before)
    if len(name) + 1 == len(before):
        return Offer(0, column, _commands(name))
    command = command_named(name)
    if command is None:
        return None
    start = len(name) + 2
    if command.completes == "file":
        return Offer(start, column, _paths(argument, sources))
    if command.completes == "model":
        named = _names("model", argument, sources)
        return Offer(start, column, named + _paths(argument, sources))
    return Offer(start, column, _names(command.completes, argument, sources))


def _commands(typed: str) -> tuple[Suggestion, ...]:
    typed = typed.lower().replace("-", "_")
    first: list[Suggestion] = []
    later: list[Suggestion] = []
    for command in COMMANDS:
        name = next((name for name in command.names if name.startswith(typed)), "")
        if not name and not (len(typed) > 1 and any(typed in each for each in command.names)):
            continue
        name = name or command.names[0]
        label = f"/{name} {command.argument}".rstrip()
        about = f"{command.label}. {command.explanation}"
        found = Suggestion(f"/{name}" + (" " if command.argument else ""), label, about, "command")
        (first if name.startswith(typed) else later).append(found)
    return tuple(first + later)[:MOST_OFFERED]


def _names(kind: Completes, typed: str, sources: Sources) -> tuple[Suggestion, ...]:
    if kind in ("nothing", "file"):
        return ()
    wanted = typed.lower()
    found = [
        Suggestion(name, name, explanation, "argument")
        for name, explanation in sources.names(kind)
        if name.lower().startswith(wanted)
    ]
    if len(found) == 1 and found[0].text == typed:
        return ()
    return tuple(found[:MOST_OFFERED])


def _paths(typed: str, sources: Sources) -> tuple[Suggestion, ...]:
    found = [
        Suggestion(path, path, "", "folder" if path.endswith("/") else "file")
        for path in sources.paths(typed)
    ]
    return tuple(found[:MOST_OFFERED])
