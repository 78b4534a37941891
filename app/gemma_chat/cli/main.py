"""`gemma-chat`: the console script.

Without a command it shows the terminal program. Exit codes: 0 all is well; 1 it could not be done,
and a sentence on stderr says why; 2 the command line is wrong, or there is no terminal to draw on;
128 + n ended by signal n.
"""

from __future__ import annotations

import os
import sys

from gemma_chat.errors import GemmaChatError


def main() -> None:
    """Run the command line and end with its exit code."""
    try:
        sys.exit(_run())
    except GemmaChatError as error:
        sys.stderr.write(f"gemma-chat: {error}\n")
        sys.exit(1)


def _run() -> int:
    if len(sys.argv) == 1:
        # By far the most frequent call: there is nothing to parse, and the first paint waits.
        from gemma_chat.cli.terminal_command import show_terminal

        return show_terminal(os.environ.get("GEMMA_CHAT_PROFILE", "default"), None, "")
    from gemma_chat.cli.commands import cli

    cli(prog_name="gemma-chat")
    return 0


if __name__ == "__main__":
    main()
