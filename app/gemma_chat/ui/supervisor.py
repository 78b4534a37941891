"""A small process that outlives the terminal program and puts the terminal back.

The program can be killed, or crash in native code, and then cannot restore anything. So it runs
in a child that is forked before anything heavy is imported; this process only waits, passes on
signals, and restores the terminal when the child was killed. The child in turn notices through a
pipe when this process goes away, and ends orderly.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, Final

from gemma_chat.ui.terminal import Tty

PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)

Child = Callable[[int], int]
"""Runs the program; is given a descriptor that becomes readable when the supervisor is gone."""


def supervise(child: Child) -> int:
    """Run `child` in a process of its own; its exit code, or 128 + the signal that killed it."""
    tty = Tty()
    watched, held = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    # One that came before it can be passed on would end this process and not the child.
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    pid = os.fork()
    if pid == 0:
        os.close(held)
        _run(child, watched, unblocked)
    os.close(watched)
    previous = _pass_on_signals(pid)
    signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    try:
        status = _wait(pid)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(held)
    if not os.WIFSIGNALED(status):
        return os.waitstatus_to_exitcode(status)
    tty.restore()
    killed_by = os.WTERMSIG(status)
    _tell(killed_by)
    return 128 + killed_by


def _run(child: Child, watched: int, mask: Collection[int]) -> None:
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = child(watched)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not sys.exit: what the parent set up before the fork is the parent's to end.
        os._exit(code & 0xFF)


def _pass_on_signals(pid: int) -> dict[int, Any]:
    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    previous: dict[int, Any] = {}
    for number in (*PASSED_ON, signal.SIGTSTP):
        previous[number] = signal.signal(number, pass_on)
    return previous


def _wait(pid: int) -> int:
    """Wait for the end of the child; stop and go on with it (ctrl+z of a shell, kill -STOP)."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    while os.WIFSTOPPED(status):
        os.kill(os.getpid(), signal.SIGSTOP)
        # The shell lets the child go on too. If this process has to wait for the machine, the
        # child may have been stopped once more by now, and is not to go on a second time.
        changed, status = os.waitpid(pid, os.WUNTRACED | os.WCONTINUED | os.WNOHANG)
        if not changed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        if not changed or os.WIFCONTINUED(status):
            _, status = os.waitpid(pid, os.WUNTRACED)
    return status


def _tell(killed_by: int) -> None:
    try:
        name = signal.Signals(killed_by).name
    except ValueError:
        name = f"signal {killed_by}"
    sentence = (
        f"gemma-chat's terminal was ended by {name}. Your conversations are kept by the host; "
        "start gemma-chat again to see them.\n"
    )
    with contextlib.suppress(OSError):
        os.write(2, sentence.encode())
