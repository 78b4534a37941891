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
"""Another host works with this database."""
EXIT_UNUSABLE: Final = 4
"""Store, settings or runtime folder cannot be used; the last line of the output says why."""
