"""Where Textual's driver takes too much for granted about the terminal."""

from __future__ import annotations

import contextlib
import os

from textual.drivers.linux_driver import LinuxDriver

from gemma_chat.ui.terminal import WIPE


class TerminalDriver(LinuxDriver):
    """Takes the size from the terminal itself, and leaves nothing of the picture on it."""

    def _get_terminal_size(self) -> tuple[int, int]:
        # Textual asks COLUMNS and LINES, which do not follow when the window changes, and then
        # the standard output, which may be a file.
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self.fileno)
            if columns and rows:
                return columns, rows
        return super()._get_terminal_size()

    def stop_application_mode(self) -> None:
        self.write(WIPE)
        super().stop_application_mode()
