"""Ending a command that waits: by a signal, or because nobody reads what it writes any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

READER_GONE: Final = 128 + signal.SIGPIPE
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


async def until_ended(work: Coroutine[Any, Any, int]) -> int:
    """Run `work` and return its exit code, or that of a shell for what has ended it before.

    It is cancelled then, so that it can take back what it has begun elsewhere. The second Ctrl+C
    ends the program at once.
    """
    task = asyncio.ensure_future(work)
    codes: list[int] = []

    def end(code: int) -> None:
        if not codes:
            codes.append(code)
            task.cancel()
        elif code == 128 + signal.SIGINT:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)

    with _signals(end), _reader(end):
        try:
            return await task
        except asyncio.CancelledError:
            if not codes:
                raise
            return codes[0]


async def whole(work: Coroutine[Any, Any, T], patience: Callable[[], float]) -> T:
    """Do `work` to its end: a cancellation that comes meanwhile takes effect behind it.

    What has been asked of a host cannot be taken back before its answer is known. That is waited
    for as many seconds as `patience` says when the cancellation comes.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=patience())
        if not task.done():
            task.cancel()
            raise
        result = task.result()
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        return result


@contextlib.contextmanager
def _signals(end: Callable[[int], None]) -> Iterator[None]:
    """Call `end` with the exit code for a signal, but leave those alone that are ignored."""
    loop = asyncio.get_running_loop()
    # `nohup` and a shell that puts a command into the background want them ignored.
    heard = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    for one in heard:
        loop.add_signal_handler(one, end, 128 + one)
    try:
        yield
    finally:
        for one in heard:
            loop.remove_signal_handler(one)


@contextlib.contextmanager
def _reader(end: Callable[[int], None]) -> Iterator[None]:
    """Call `end` when stdout is a pipe and its other end is closed, though nothing is written."""
    loop = asyncio.get_running_loop()
    pipe = _stdout_pipe()
    if pipe is None:
        yield
        return

    def gone() -> None:
        loop.remove_reader(pipe)
        end(READER_GONE)

    with contextlib.suppress(OSError):
        # Nothing can be read from this end: the only event is that the other one is gone.
        loop.add_reader(pipe, gone)
    try:
        yield
    finally:
        loop.remove_reader(pipe)


def _stdout_pipe() -> int | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        descriptor = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return descriptor
    return None
