"""The names that completion offers: roles, presets, prompts, themes, settings, model files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from gemma_chat.config.library import Library
from gemma_chat.config.presets import Preset
from gemma_chat.config.sampling import SAMPLING_FIELDS
from gemma_chat.ui.input.files import paths_like
from gemma_chat.ui.input.slash import Completes
from gemma_chat.ui.tab_marks import MARKS


class ProgramSources:
    """Looks where the program keeps these things. Called from a thread of its own."""

    def __init__(
        self,
        library: Library,
        presets: tuple[Preset, ...],
        themes: Callable[[], Iterable[str]],
        models: Callable[[], Iterable[Path]],
    ) -> None:
        """`presets` are those of the settings file and on board; `library` has those in files."""
        self._library = library
        self._presets = presets
        self._themes = themes
        self._models = models

    def names(self, kind: Completes) -> list[tuple[str, str]]:
        """The names of a kind, each with a line about it."""
        match kind:
            case "role":
                return [(role.name, role.explanation) for role in self._library.roles().items]
            case "preset":
                found = self._library.presets(self._presets).items
                return [(preset.name, preset.explanation) for preset in found]
            case "prompt":
                return [(each.name, each.explanation) for each in self._library.prompts().items]
            case "theme":
                return [(name, "") for name in sorted(self._themes())]
            case "setting":
                return [(field.name, field.explanation) for field in SAMPLING_FIELDS]
            case "model":
                return [(str(path), "") for path in self._models() if str(path).isprintable()]
            case "mark":
                return [(mark.name, mark.sign) for mark in MARKS]
            case "file" | "nothing":
                return []

    def paths(self, typed: str) -> list[str]:
        """Paths that begin as typed; those of folders end with a slash."""
        return paths_like(typed)
