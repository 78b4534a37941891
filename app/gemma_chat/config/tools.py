"""Which tools a tab has, and what its model may do with them without asking."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from gemma_chat.errors import SettingsError

ON_BOARD_TOOLS: Final[dict[str, str]] = {
    "clock": "Tells the date and the time.",
    "calculator": "Computes arithmetic exactly.",
    "files": "Reads and lists the files below one folder.",
    "history": "Searches what was said in all your conversations.",
}
"""The tools that come with the program, each with a line that explains it."""

MCP_PREFIX: Final = "mcp:"
"""`mcp:NAME` turns on the tools of the configured server NAME."""

MAX_NAMES: Final = 256
MAX_NAME_CHARACTERS: Final = 80
MAX_FOLDER_CHARACTERS: Final = 4_000


class ToolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tools of one tab; all are off at first."""

    sources: tuple[str, ...] = ()
    """What is on: names of `ON_BOARD_TOOLS`, and `mcp:NAME`."""
    folder: str = ""
    """The folder that `files` shares with the model, as a whole path."""
    allowed: tuple[str, ...] = ()
    """Tools whose calls are carried out without asking."""
    denied: tuple[str, ...] = ()
    """Tools whose calls are refused without asking."""

    def validated(self) -> ToolSettings:
        """Return self, or raise `SettingsError`."""
        for name in (*self.sources, *self.allowed, *self.denied):
            if not 0 < len(name) <= MAX_NAME_CHARACTERS:
                raise SettingsError(
                    f"The name of a tool has 1 to {MAX_NAME_CHARACTERS} characters; "
                    f"this one has {len(name)}."
                )
        if len(self.sources) + len(self.allowed) + len(self.denied) > MAX_NAMES:
            raise SettingsError(f"A tab names at most {MAX_NAMES} tools; turn some off.")
        for source in self.sources:
            if not source.startswith(MCP_PREFIX) and source not in ON_BOARD_TOOLS:
                raise SettingsError(
                    f"There are no tools {source!r}. There are: {', '.join(ON_BOARD_TOOLS)}, and "
                    "mcp:NAME for a server of the settings file."
                )
        self._check_folder()
        return self

    def _check_folder(self) -> None:
        if "\0" in self.folder or len(self.folder) > MAX_FOLDER_CHARACTERS:
            raise SettingsError("The shared folder is not the path of a folder.")
        if self.folder and not self.folder.startswith(("/", "~/")) and self.folder != "~":
            raise SettingsError(
                f"The shared folder {self.folder!r} must be a whole path; begin it with / or ~."
            )
        if "files" in self.sources and not self.folder:
            raise SettingsError("The tool files needs a folder that it may read; choose one first.")

    def remembering(self, tool: str, answer: Literal["always", "never"]) -> ToolSettings:
        """These settings with a lasting answer about one tool."""
        allowed = tuple(name for name in self.allowed if name != tool)
        denied = tuple(name for name in self.denied if name != tool)
        if answer == "always":
            return msgspec.structs.replace(self, allowed=(*allowed, tool), denied=denied)
        return msgspec.structs.replace(self, allowed=allowed, denied=(*denied, tool))
