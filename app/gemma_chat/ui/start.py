"""Starts the terminal program. Nothing heavy is imported before it is needed.

The order is what makes it quick: the host is looked for, and started, before Textual is imported,
so that the model loads meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import Settings, change
from gemma_chat.host.launch import HostLaunch
from gemma_chat.host.link import HostLink
from gemma_chat.ui import background, encoding
from gemma_chat.ui.link import Inbox
from gemma_chat.ui.models.wanted import WantedModel
from gemma_chat.ui.multiplexer import takes_mouse
from gemma_chat.ui.splash import Splash
from gemma_chat.ui.supervisor import supervise
from gemma_chat.ui.terminal import guard_screen, refusal, why_plain

if TYPE_CHECKING:
    from gemma_chat.config.library import Library
    from gemma_chat.ui.app import ChatApp

EXIT_NO_TERMINAL = 2
_FIRST_STEPS = 20
"""Turns of the event loop that are enough to find out that no host runs, and to start one."""
_OBJECTS_BETWEEN_COLLECTIONS = 10_000


@dataclass(frozen=True)
class TerminalOptions:
    """What the command line says about the terminal program."""

    settings: Settings
    launch: HostLaunch
    """Where the host is, and how it is started."""
    theme: str = ""
    """The theme asked for on the command line; otherwise that of the settings."""
    wanted: WantedModel | None = None
    """The model asked for on the command line."""
    install_command: str = 'pip install "gemma-chat[demo]"'
    """What gets a small model, in the way this program was installed."""
    plain: bool = False
    """Whether the plain line mode is asked for."""


def run_terminal(options: TerminalOptions) -> int:
    """Show the terminal program until the person leaves; the exit code says how it ended.

    0: left on purpose. 2: no terminal to draw on. 129, 130, 143: told to end by SIGHUP,
    SIGINT, SIGTERM.
    128 + n: killed by signal n. 1: an error, which is printed.

    Where it is asked for, and on a terminal that cannot move the cursor, it is the plain line mode.
    """
    if options.plain:
        return _run_plain(options)
    reason = refusal(os.environ)
    if reason:
        sys.stderr.write(reason + "\n")
        return EXIT_NO_TERMINAL
    if why := why_plain(os.environ):
        return _run_plain(options, why)
    options.launch.paths.make_folders()
    return supervise(lambda supervisor: _in_child(options, supervisor))


def _run_plain(options: TerminalOptions, why: str = "") -> int:
    from gemma_chat.ui.plain.start import run_plain

    return run_plain(options, first_words=why)


def _in_child(options: TerminalOptions, supervisor: int) -> int:
    # Otherwise asyncio would turn the first ctrl+c into a cancelled task, which Textual swallows.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return asyncio.run(_run(options, supervisor))


async def _run(options: TerminalOptions, supervisor: int) -> int:
    # Collecting garbage while modules are read costs a tenth of the time to the first paint.
    gc.disable()
    # The frame rate is also the delay of a key's echo; nothing is drawn that has not changed.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    paths = options.launch.paths
    link = HostLink(options.launch)
    inbox = Inbox(link)
    await link.start()
    for _ in range(_FIRST_STEPS):
        await asyncio.sleep(0)
    question = encoding.question_for(os.environ)
    if not _is_theme_chosen(options):
        question += background.question_for(os.environ)
    try:
        with Splash(question=question) as splash, guard_screen(paths.terminal_log_file):
            app = _app(options, link, inbox, splash, lambda: _painted(app, supervisor))
            # By now, a tenth of a second after it was asked, a terminal nearby has answered.
            if splash.denies_utf8:
                raise encoding.NoUtf8Error
            app.type_ahead(splash.typed())
            await app.run_async(mouse=takes_mouse(options.settings.terminal.mouse, os.environ))
    except encoding.NoUtf8Error:
        sys.stderr.write(encoding.refusal(os.environ) + "\n")
        return EXIT_NO_TERMINAL
    finally:
        await link.close()
    if app.failure is not None:
        _explain(app.failure, paths.terminal_log_file)
    elif app.farewell:
        sys.stdout.write(f"{app.farewell}\n")
    return app.return_code or 0


def _painted(app: ChatApp, supervisor: int) -> None:
    _collect_garbage_again()
    # Until here a signal simply ends this process, and the supervisor restores the rest.
    _end_orderly(app, supervisor)


def _explain(failure: BaseException, log: Path) -> None:
    from gemma_chat.ui.text import SENTENCE_CELLS, one_line

    what = one_line(f"{type(failure).__name__}: {failure}", SENTENCE_CELLS)
    sys.stderr.write(
        f"gemma-chat ended because of an error of its own ({what}). Your conversations are kept "
        f"by the host; start gemma-chat again to see them. The details are in {log}.\n"
    )


def _is_theme_chosen(options: TerminalOptions) -> bool:
    return bool(options.theme or options.settings.terminal.theme)


def _app(
    options: TerminalOptions,
    link: HostLink,
    inbox: Inbox,
    splash: Splash,
    painted: Callable[[], None],
) -> ChatApp:
    from gemma_chat.ui.app import ChatApp
    from gemma_chat.ui.input.sent import SentMessages
    from gemma_chat.ui.keymap import Keymap
    from gemma_chat.ui.options import AppOptions
    from gemma_chat.ui.themes import first_theme, load_themes

    paths = options.launch.paths
    themes_dir = paths.themes_dir
    wanted = options.theme or options.settings.terminal.theme
    ground = "unknown" if _is_theme_chosen(options) else splash.background()
    first = first_theme(wanted, themes_dir, os.environ, ground)
    return ChatApp(
        link,
        inbox,
        AppOptions(
            own=os.getpid(),
            settings=options.settings,
            theme=first.theme,
            theme_for=None
            if _is_theme_chosen(options)
            else lambda told: first_theme("", themes_dir, os.environ, told).theme,
            shelf=lambda: load_themes(themes_dir),
            warnings=(first.problem,) if first.problem else (),
            environment=os.environ,
            state_dir=lambda: options.launch.paths.state_dir,
            command=options.launch.command,
            install_command=options.install_command,
            painted=painted,
            keep_setting=lambda key, value: _keep_setting(paths, key, value),
            keymap=Keymap.of(dict(options.settings.keys)),
            library=lambda: _library(paths),
            sent=SentMessages(paths.sent_file, options.settings.terminal.sent_history),
            models=lambda: _models(paths),
            wanted=options.wanted,
            first_time=lambda: _first_time(paths),
        ),
    )


def _collect_garbage_again() -> None:
    # What was made up to here stays: it need not be looked through again and again. A panel or a
    # dialog is some ten thousand objects: at Python's own pace a third of the time it takes to
    # open one went into looking for garbage among them.
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
    gc.enable()


def _keep_setting(paths: Paths, key: str, value: str) -> None:
    change(paths.settings_file, key, value)


def _first_time(paths: Paths) -> bool:
    """Whether this is asked for the first time, ever; where that cannot be kept it is not."""
    try:
        paths.first_steps_file.touch(exist_ok=False)
    except OSError:
        return False
    return True


def _library(paths: Paths) -> Library:
    from gemma_chat.config.library import Library

    return Library(paths.config_dir)


def _models(paths: Paths) -> tuple[Path, ...]:
    from gemma_chat.models.places import found_models

    return tuple(model.path for model in found_models(paths, os.environ, Path.home()))


def _end_orderly(app: ChatApp, supervisor: int) -> None:
    """End the program as by hand when it is told to end, or when the supervisor is gone."""
    loop = asyncio.get_running_loop()
    app.away.listen()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.leave, 128 + number)

    def interrupted() -> None:
        # While an editor has the terminal, ctrl+c is meant for it.
        if not app.away.off_screen:
            app.leave(128 + signal.SIGINT)

    def gone() -> None:
        loop.remove_reader(supervisor)
        app.leave(128 + signal.SIGHUP)

    loop.add_signal_handler(signal.SIGINT, interrupted)

    loop.add_reader(supervisor, gone)
