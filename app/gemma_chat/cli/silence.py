"""What a shell command says while the host does not answer it."""

from __future__ import annotations

import sys

from gemma_chat.host.client import unanswered


def say_silence(pid: int, silent: bool) -> None:
    """Say on stderr that the host with this pid has fallen silent, or answers again."""
    said = "The host answers again."
    if silent:
        said = f"{unanswered(pid)} This command goes on when it answers; Ctrl+C gives up."
    sys.stderr.write(f"gemma-chat: {said}\n")
    sys.stderr.flush()
