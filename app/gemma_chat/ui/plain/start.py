"""Starts the plain line mode: the event loop in a thread of its own, the keyboard in this one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gemma_chat.config.schema import PlainPieces
from gemma_chat.host.link import HostLink
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.link import Inbox
from gemma_chat.ui.plain.commands import TABLE
from gemma_chat.ui.plain.console import Console
from gemma_chat.ui.plain.line_editor import line_editor
from gemma_chat.ui.plain.options import PlainOptions
from gemma_chat.ui.plain.outlet import Outlet, Page
from gemma_chat.ui.plain.speech import Speech
from gemma_chat.ui.plain.terminal import PlainTerminal

if TYPE_CHECKING:
    from gemma_chat.config.library import Library
    from gemma_chat.config.paths import Paths
    from gemma_chat.ui.start import TerminalOptions

ResultT = TypeVar("ResultT")


def run_plain(options: TerminalOptions, *, first_words: str = "") -> int:
    """Converse line by line until the person leaves; the exit code says how it ended.

    0: left on purpose, or all that came through a pipe was answered. 1: something of it could not
    be asked, or nobody reads what is written. 129, 143: told to end by SIGHUP, SIGTERM.
    """
    paths = options.launch.paths
    paths.make_folders()
    _log_to(paths.terminal_log_file)
    is_tty = os.isatty(0) and os.isatty(1)
    outlet = Outlet()
    page = Page(1, sys.stdout.encoding or "utf-8")
    sent = SentMessages(paths.sent_file, options.settings.terminal.sent_history)
    plain = PlainOptions(
        own=os.getpid(),
        settings=options.settings,
        environment=os.environ,
        state_dir=lambda: paths.state_dir,
        command=options.launch.command,
        install_command=options.install_command,
        library=lambda: _library(paths),
        sent=sent,
        wanted=options.wanted,
        first_words=first_words,
        echoes=os.isatty(0),
    )
    pieces = options.settings.terminal.plain_pieces
    with _Loop() as loop:
        terminal = loop.result(_made(HostLink(options.launch), plain, outlet, pieces))
        editor = line_editor(outlet, page, TABLE) if is_tty else None
        if editor is not None:
            editor.remember(reversed(sent.newest_first))
        console = Console(terminal, loop.loop, outlet, page, editor)
        try:
            return console.run()
        finally:
            loop.result(terminal.end(console.typed))
            with contextlib.suppress(OSError):
                page.append(outlet.take())


class _Loop:
    """An event loop that runs in a thread as long as this lasts."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="host", daemon=True)

    def __enter__(self) -> _Loop:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def result(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Do this in the loop, and wait for it."""
        future: Future[ResultT] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result()


async def _made(
    link: HostLink, options: PlainOptions, outlet: Outlet, pieces: PlainPieces
) -> PlainTerminal:
    terminal = PlainTerminal(link, Inbox(link), options, Speech(outlet.put, pieces))
    await link.start()
    return terminal


def _log_to(file: Path) -> None:
    """What is logged must not stand between the lines of a conversation."""
    with contextlib.suppress(OSError):
        logging.basicConfig(filename=file, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _library(paths: Paths) -> Library:
    from gemma_chat.config.library import Library

    return Library(paths.config_dir)
