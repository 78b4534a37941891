"""A conversation on its way out of the program or into it, free of any file format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from gemma_chat.config.sampling import SessionSettings

Role = Literal["user", "assistant"]
Ending = Literal["complete", "stopped", "length", "interrupted", "failed"]

SPEAKERS: dict[Role, str] = {"user": "You", "assistant": "Model"}
"""What the two roles are called where a person reads."""
ENDINGS: dict[Ending, str] = {
    "stopped": "stopped",
    "length": "cut: the context or the reply limit was full",
    "interrupted": "interrupted",
    "failed": "failed",
}
"""What is said of a message that is not whole."""

TabMark = Literal["", "diamond", "triangle", "square", "star", "note", "cross"]


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `created` is in seconds since the epoch, 0 where nobody knows.

    `model` names what wrote a reply, where that is known; what is `pinned` stays in the context.
    """

    role: Role
    text: str
    created: float = 0.0
    ending: Ending = "complete"
    model: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Tab:
    """How a person has arranged the tab of a conversation: its group, its sign, its pin."""

    group: str = ""
    mark: TabMark = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation, its messages in the order in which they were said."""

    title: str
    lines: tuple[Line, ...]
    created: float = 0.0
    settings: SessionSettings = field(default_factory=SessionSettings)
    tab: Tab = Tab()


def introduced(lines: tuple[Line, ...]) -> Iterator[tuple[Line, str]]:
    """Each message with who said it; a model is named where another one begins to answer."""
    answering = ""
    for line in lines:
        speaker = SPEAKERS[line.role]
        if line.role == "assistant" and line.model and line.model != answering:
            answering = line.model
            speaker = f"{speaker} · {' '.join(answering.split())}"
        yield line, speaker
