"""How the program leaves the terminal: with nothing of its picture on it."""

from __future__ import annotations

from textual.drivers.linux_driver import LinuxDriver

from gemma_chat.ui.terminal import WIPE


class TerminalDriver(LinuxDriver):
    """Textual's driver, which relies on a second screen that goes away with the program."""

    def stop_application_mode(self) -> None:
        self.write(WIPE)
        super().stop_application_mode()
