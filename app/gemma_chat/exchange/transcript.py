"""A conversation on its way out of the program or into it, free of any file format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from gemma_chat.config.sampling import SessionSettings
from gemma_chat.terms import SPEAKERS, FinishedState, MessageRole, TabMark, UseOutcome

ENDINGS: dict[FinishedState, str] = {
    "stopped": "stopped",
    "length": "cut: the context or the reply limit was full",
    "interrupted": "interrupted",
    "failed": "failed",
}
"""What is said of a message that is not whole."""

MOST_OF_ARGUMENTS = 200
"""Characters of a call's arguments that are shown where a person reads."""


class Thought(msgspec.Struct, frozen=True, omit_defaults=True, tag="thought"):
    """What the model thought before it went on at character `at` of the reply.

    `step` counts the replies of one turn, from 0: another one begins after the results of calls.
    """

    at: int
    step: int = 0
    text: str = ""
    seconds: float = 0.0


class ToolUse(msgspec.Struct, frozen=True, omit_defaults=True, tag="tool_use"):
    """A call the model made at character `at` of the reply, and its result.

    `arguments` is a JSON object, as text; `error` tells why the call could not be carried out as
    it was written.
    """

    at: int
    step: int = 0
    call: str = ""
    name: str = ""
    arguments: str = "{}"
    error: str = ""
    outcome: UseOutcome = "waiting"
    result: str = ""


_OUTCOMES: dict[UseOutcome, str] = {
    "answered": "",
    "refused": "refused",
    "failed": "failed",
    "stopped": "not finished",
    "waiting": "not finished",
}

Aside = Thought | ToolUse
"""What belongs to a reply and is no text of it."""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a file of a message, without its bytes.

    `digest` is their SHA-256 in hex, `size` their number; `width` and `height` are in pixels.
    """

    name: str
    digest: str
    kind: Literal["image", "audio"]
    format: str
    size: int
    width: int = 0
    height: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `created` is in seconds since the epoch, 0 where nobody knows.

    `model` names what wrote a reply, where that is known; what is `pinned` stays in the context.
    `parent` is the place, from 1, of the message that it follows, 0 for a first one and `None` for
    the message right before it; `chosen` is one of those that follow the same message.
    """

    role: MessageRole
    text: str
    created: float = 0.0
    ending: FinishedState = "complete"
    model: str = ""
    pinned: bool = False
    parent: int | None = None
    chosen: bool = True
    asides: tuple[Aside, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Tab:
    """How a person has arranged the tab of a conversation: its group, its sign, its pin."""

    group: str = ""
    mark: TabMark = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation: the messages of all its branches, each behind the one that it follows."""

    title: str
    lines: tuple[Line, ...]
    created: float = 0.0
    settings: SessionSettings = field(default_factory=SessionSettings)
    tab: Tab = Tab()

    @property
    def shown(self) -> tuple[Line, ...]:
        """The messages of the chosen branch, in the order in which they were said."""
        shown: list[Line] = []
        end = 0
        for place, line in enumerate(self.lines, start=1):
            if line.chosen and parent_of(line.parent, place) == end:
                shown.append(line)
                end = place
        return tuple(shown)


def parent_of(parent: int | None, place: int) -> int:
    """The place, from 1, of the message that the one at `place` follows; 0 for a first one."""
    return place - 1 if parent is None else parent


def notes(line: Line) -> tuple[str, ...]:
    """What belongs to a message beside its text, a line for each file and each call of a tool."""
    files = [f"{file.name} ({file.format})" for file in line.attachments]
    return (*files, *(_call(aside) for aside in line.asides if isinstance(aside, ToolUse)))


def _call(use: ToolUse) -> str:
    arguments = " ".join(use.arguments.split())
    if len(arguments) > MOST_OF_ARGUMENTS:
        arguments = f"{arguments[:MOST_OF_ARGUMENTS]}…"
    outcome = _OUTCOMES[use.outcome]
    return f"called {' '.join(use.name.split())} {arguments}" + (f": {outcome}" if outcome else "")


def introduced(lines: tuple[Line, ...]) -> Iterator[tuple[Line, str]]:
    """Each message with who said it; a model is named where another one begins to answer."""
    answering = ""
    for line in lines:
        speaker = SPEAKERS[line.role]
        if line.role == "assistant" and line.model and line.model != answering:
            answering = line.model
            speaker = f"{speaker} · {' '.join(answering.split())}"
        yield line, speaker
