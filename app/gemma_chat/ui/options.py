"""What the terminal program is told when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from textual.theme import Theme

from gemma_chat.config.settings import Settings
from gemma_chat.ui.background import Background
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.keymap import DEFAULT_KEYS, Keymap
from gemma_chat.ui.models.wanted import WantedModel
from gemma_chat.ui.themes import Shelf

if TYPE_CHECKING:
    from gemma_chat.config.library import Library


def _no_library() -> Library:
    from gemma_chat.config.library import Library

    return Library()


@dataclass(frozen=True)
class AppOptions:
    """What the app is told when it is made."""

    own: int
    """The number by which the host knows this terminal: its process."""
    settings: Settings = field(default_factory=Settings)
    theme: Theme | None = None
    """The theme to start with; `None` is Textual's."""
    theme_for: Callable[[Background], Theme] | None = None
    """The theme for a background that the terminal tells later; `None` where one was chosen."""
    shelf: Callable[[], Shelf] = field(default=lambda: Shelf((), ()))
    """Reads all themes; called after the first paint."""
    warnings: tuple[str, ...] = ()
    """Sentences for the person, from before there was a screen."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What this terminal was started with: which one it is, what lies in between, HF_TOKEN."""
    state_dir: Callable[[], Path] = field(default=lambda: Path())
    """Where a text is written that can be copied nowhere else."""
    command: str = "gemma-chat"
    """What is typed in a shell to come back to the same host."""
    install_command: str = 'pip install "gemma-chat[demo]"'
    painted: Callable[[], None] = field(default=lambda: None)
    """Called once, after the first paint."""
    keep_setting: Callable[[str, str], None] = field(default=lambda key, value: None)
    """Stores a setting by its dotted key; raises `SettingsError`."""
    keymap: Keymap = DEFAULT_KEYS
    """The keys in effect."""
    library: Callable[[], Library] = _no_library
    """Roles, presets and prompts; called when they are asked for the first time."""
    sent: SentMessages = field(default_factory=SentMessages)
    """What was sent before, to be brought back into the input."""
    wanted: WantedModel | None = None
    """The model that the command line names."""
    first_time: Callable[[], bool] = field(default=lambda: False)
    """Whether the first steps are to be shown; yes only once, so it is asked when they can be."""
    models: Callable[[], tuple[Path, ...]] = field(default=lambda: ())
    """The model files on this machine."""
