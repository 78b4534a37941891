"""A conversation on its way out of the program or into it, free of any file format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gemma_chat.config.sampling import SessionSettings

Role = Literal["user", "assistant"]
Ending = Literal["complete", "stopped", "length", "interrupted", "failed"]

SPEAKERS: dict[Role, str] = {"user": "You", "assistant": "Model"}
"""What the two roles are called where a person reads."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `created` is in seconds since the epoch, 0 where nobody knows."""

    role: Role
    text: str
    created: float = 0.0
    ending: Ending = "complete"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation, its messages in the order in which they were said."""

    title: str
    lines: tuple[Line, ...]
    created: float = 0.0
    settings: SessionSettings = field(default_factory=SessionSettings)
