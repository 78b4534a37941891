"""One thing a person can do: its keys, its words, and where it is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Group = Literal["Messages", "Input", "Tabs", "History", "Panels", "Transcript", "Model", "Program"]
Where = Literal["everywhere", "input", "transcript", "history", "models", "palette"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a person can do."""

    id: str
    keys: tuple[str, ...]
    """Textual's names; the first one is shown first. Without keys: the palette only."""
    label: str
    group: Group
    explanation: str
    where: Where = "everywhere"
    slash: tuple[str, ...] = ()
    """The names of the command that does the same, without the slash."""
    argument: str = ""
    """What stands after the command's name, as the help shows it: `TEXT`, `[NAME]`."""

    @property
    def needs_argument(self) -> bool:
        """Without an argument there is nothing to do."""
        return bool(self.argument) and not self.argument.startswith("[")

    @property
    def key_names(self) -> str:
        """The keys as help and README write them."""
        return " / ".join(key_name(key) for key in self.keys)


_NAMES = {"pageup": "page up", "pagedown": "page down", "escape": "esc"}


def key_name(key: str) -> str:
    """`ctrl+pageup` as a person reads it: `ctrl+page up`."""
    return "+".join(_NAMES.get(part, part) for part in key.split("+"))
