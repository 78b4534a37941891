"""The settings file while the host runs: what holds for what begins now."""

from __future__ import annotations

from collections.abc import Callable

from gemma_chat.config.mcp import McpServerSettings
from gemma_chat.config.presets import begun_with
from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.settings import Settings
from gemma_chat.errors import SettingsError


class CurrentSettings:
    """Reads the file again whenever something begins by it.

    While the file is wrong the settings it had when it was right hold, and people are warned.
    """

    def __init__(
        self,
        read: Callable[[], Settings],
        recommended: Callable[[], SamplingSettings | None],
        warn: Callable[[str], None],
    ) -> None:
        """`recommended` is how the loaded model is meant to sample. Raises `SettingsError`."""
        self._read = read
        self._recommended = recommended
        self._warn = warn
        self._known = read()

    @property
    def known(self) -> Settings:
        """The settings as they were last read."""
        return self._known

    @property
    def defaults(self) -> SessionSettings:
        """What a tab begins with, by the settings as they were last read."""
        defaults = self._known.defaults
        recommended = self._recommended()
        return defaults if recommended is None else begun_with(defaults, recommended)

    def read_defaults(self) -> SessionSettings:
        """What a new tab begins with, by the file as it is now."""
        self._read_again()
        return self.defaults

    def read_servers(self) -> tuple[McpServerSettings, ...]:
        """The tool servers, by the file as it is now."""
        self._read_again()
        return self._known.mcp_servers

    def _read_again(self) -> None:
        try:
            self._known = self._read()
        except SettingsError as error:
            self._warn(f"{error} The settings of before hold.")
