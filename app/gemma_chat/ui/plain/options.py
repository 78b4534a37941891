"""What the plain line mode is told when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_chat.config.settings import Settings
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.models.wanted import WantedModel

if TYPE_CHECKING:
    from gemma_chat.config.library import Library


def _no_library() -> Library:
    from gemma_chat.config.library import Library

    return Library()


@dataclass(frozen=True)
class PlainOptions:
    """What the plain line mode is told when it is made."""

    own: int
    """The number by which the host knows this terminal: its process."""
    settings: Settings = field(default_factory=Settings)
    environment: Mapping[str, str] = field(default_factory=dict)
    state_dir: Callable[[], Path] = field(default=lambda: Path())
    """Where a text is written that can be copied nowhere else."""
    command: str = "gemma-chat"
    """What is typed in a shell to come back to the same host."""
    install_command: str = 'pip install "gemma-chat[demo]"'
    library: Callable[[], Library] = _no_library
    """Roles, presets and prompts."""
    sent: SentMessages = field(default_factory=SentMessages)
    wanted: WantedModel | None = None
    """The model that the command line names."""
    first_words: str = ""
    """Why the plain line mode was chosen, when nobody asked for it."""
    echoes: bool = True
    """What is typed stands on the terminal already; not so what comes through a pipe."""
