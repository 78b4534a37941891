"""What the terminal program is told when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
    install_command: str = 'pip install "gemma-chat[demo]"'
    painted: Callable[[], None] = field(default=lambda: None)
    """Called once, after the first paint."""
    keep_theme: Callable[[str], None] = field(default=lambda name: None)
    """Stores a chosen theme; raises `SettingsError`."""
