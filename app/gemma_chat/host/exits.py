"""What the exit code of the host process says."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
"""Told to stop, ended by SIGTERM or SIGINT, or idle for `keep_alive` seconds."""
EXIT_FAILED: Final = 1
"""Something unforeseen; the log has the traceback."""
EXIT_USAGE: Final = 2
"""The command line is wrong."""
EXIT_ALREADY_RUNNING: Final = 3
"""Another host holds the runtime directory."""
EXIT_STORE: Final = 4
"""The store, the settings or the runtime directory cannot be used."""
