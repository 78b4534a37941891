"""`gemma-chat`: the console script.

Without a command it shows the terminal program. Exit codes: 0 all is well; 1 it could not be done,
and a sentence on stderr says why; 2 the command line is wrong, or there is no terminal to draw on;
130 given up with Ctrl+C; 128 + n ended by signal n. Commands about the running host have one more,
3: there is none; so has `ask`, 4: the reply is cut short.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from gemma_chat.errors import GemmaChatError

COMPLETION_VARIABLE = "_GEMMA_CHAT_COMPLETE"
"""Set by a shell that asks click what may follow."""
INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell has it."""
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a file or a terminal says into which nothing can be written any more."""


def main() -> None:
    """Run the command line and end with its exit code."""
    _open_standard_streams()
    try:
        sys.exit(_run())
    except GemmaChatError as error:
        from gemma_chat.cli.output import visible

        # It may quote a file, a server or a model.
        sys.stderr.write(f"gemma-chat: {visible(str(error))}\n")
        sys.exit(1)
    except OSError as error:
        from gemma_chat.cli.output import forget_stdout

        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        forget_stdout()
        with contextlib.suppress(OSError):
            sys.stderr.write(f"gemma-chat: The output cannot be written ({error.strerror}).\n")
        sys.exit(1)


def _open_standard_streams() -> None:
    """Put /dev/null in the place of a stream that is closed.

    The next file to be opened, the database or a socket, would get its number else, and with it
    all that native code writes to stderr.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode))


def _run() -> int:
    if len(sys.argv) == 1 and COMPLETION_VARIABLE not in os.environ:
        # By far the most frequent call: there is nothing to parse, and the first paint waits.
        from gemma_chat.cli.terminal_command import show_terminal

        return show_terminal(os.environ.get("GEMMA_CHAT_PROFILE", "default"), None, "")
    import click

    from gemma_chat.cli.commands import cli

    try:
        code = cli.main(prog_name="gemma-chat", standalone_mode=False)
    except click.Abort:
        # click has made this of Ctrl+C, and of a question that was answered with no.
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
