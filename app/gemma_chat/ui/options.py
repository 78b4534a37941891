"""What the terminal program is told when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textual.theme import Theme

from gemma_chat.config.settings import Settings
from gemma_chat.ui.themes import Shelf


@dataclass(frozen=True)
class AppOptions:
    """What the app is told when it is made."""

    own: int
    """The number by which the host knows this terminal: its process."""
    settings: Settings = field(default_factory=Settings)
    theme: Theme | None = None
    """The theme to start with; `None` is Textual's."""
    shelf: Callable[[], Shelf] = field(default=lambda: Shelf((), ()))
    """Reads all themes; called after the first paint."""
    warnings: tuple[str, ...] = ()
    """Sentences for the person, from before there was a screen."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What tells which terminal this is, and what lies in between."""
    state_dir: Callable[[], Path] = field(default=lambda: Path())
    """Where a text is written that can be copied nowhere else."""
    install_command: str = 'pip install "gemma-chat[demo]"'
    painted: Callable[[], None] = field(default=lambda: None)
    """Called once, after the first paint."""
    keep_theme: Callable[[str], None] = field(default=lambda name: None)
    """Stores a chosen theme; raises `SettingsError`."""
