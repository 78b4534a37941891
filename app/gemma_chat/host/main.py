"""The host process: `python -m gemma_chat.host.main`.

It claims the database, listens, loads the model in the background, and serves terminals until it
is told to stop, gets SIGTERM or SIGINT, or has not been needed for `keep_alive` seconds. Its exit
codes stand in `exits`; what it prints goes to the file its starter chose.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import faulthandler
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from gemma_chat.config.paths import DEFAULT_PROFILE, Paths
from gemma_chat.config.settings import Settings, load_settings
from gemma_chat.errors import GemmaChatError, HostError
from gemma_chat.host.client import PROGRAM
from gemma_chat.host.exits import (
    EXIT_ALREADY_RUNNING,
    EXIT_OK,
    EXIT_UNUSABLE,
)
from gemma_chat.host.idleness import Idleness
from gemma_chat.host.last_model import LastModel
from gemma_chat.host.model_library import ModelLibrary
from gemma_chat.host.model_source import ModelSource, chosen_source, loader
from gemma_chat.host.server import HostServer
from gemma_chat.host.service import Service
from gemma_chat.host.tenancy import AlreadyRunningError, Tenancy
from gemma_chat.store.recovery import open_or_recover
from gemma_chat.store.store import Store

LOG_BYTES: Final = 2_000_000
LOG_FILES: Final = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What the command line says."""

    profile: str = DEFAULT_PROFILE
    model: str = ""
    server: str = ""
    server_model: str = ""
    keep_alive: float | None = None
    load: bool = True
    """Whether a model is loaded at start; one can be loaded later on request."""
    again: bool = False
    """The host before this one was killed: what it had in memory counts before what is named."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a host until it leaves; returns its exit code."""
    options = _parse(argv)
    faulthandler.enable()
    # The engine thread comes back from native code several times a token and must not wait 5 ms
    # each time for the event loop to let go of the interpreter.
    sys.setswitchinterval(0.0005)
    try:
        paths = Paths.default(options.profile)
        paths.make_folders()
        _log_to(paths.log_file)
        settings = load_settings(paths)
        return _run(paths, settings, options)
    except AlreadyRunningError as error:
        return _give_up(error, EXIT_ALREADY_RUNNING)
    except GemmaChatError as error:
        return _give_up(error, EXIT_UNUSABLE)
    except Exception:
        _log.exception("the host failed")
        raise


def _parse(argv: Sequence[str] | None) -> HostOptions:
    parser = argparse.ArgumentParser(
        prog="gemma-chat-host", description="The process that holds the model."
    )
    parser.add_argument("--profile", default=DEFAULT_PROFILE)
    parser.add_argument("--model", default="", help="a GGUF file instead of the configured one")
    parser.add_argument("--server", default="", help="the URL of a chat server that computes")
    parser.add_argument("--server-model", default="", help="the name of the server's model")
    parser.add_argument("--keep-alive", type=float, help="seconds instead of the configured ones")
    parser.add_argument("--no-model", dest="load", action="store_false", help="load no model")
    parser.add_argument(
        "--again", action="store_true", help="take the place of a host that was killed"
    )
    given = parser.parse_args(argv)
    return HostOptions(
        profile=given.profile,
        model=given.model,
        server=given.server,
        server_model=given.server_model,
        keep_alive=given.keep_alive,
        load=given.load,
        again=given.again,
    )


class _PrivateLog(RotatingFileHandler):
    """A log for its owner alone, each file that takes the place of a full one too."""

    def _open(self) -> TextIOWrapper:
        file = super()._open()
        os.fchmod(file.fileno(), 0o600)
        return file


def _log_to(path: Path) -> None:
    """Log to `path`, private and bounded."""
    try:
        to_file = _PrivateLog(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    except OSError as error:
        raise HostError(
            f"The log {path} cannot be written ({error.strerror}). Make the file and its folder "
            "writable for you."
        ) from error
    to_file.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[to_file], force=True)


def _give_up(error: GemmaChatError, exit_code: int) -> int:
    sentence = " ".join(str(error).split())
    _log.error("%s", sentence)
    sys.stderr.write(f"{sentence}\n")
    return exit_code


def _run(paths: Paths, settings: Settings, options: HostOptions) -> int:
    tenancy = Tenancy.claim(paths.lock_file, paths.socket)
    try:
        store, recovery = open_or_recover(paths.database)
        with contextlib.closing(store):
            news = () if recovery is None else (recovery.sentence,)
            asyncio.run(_serve(paths, settings, options, store, news))
    finally:
        tenancy.release()
    return EXIT_OK


async def _serve(
    paths: Paths, settings: Settings, options: HostOptions, store: Store, news: Sequence[str]
) -> None:
    """Serve terminals until there is a reason to leave; the first one is told the `news`."""
    leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def leave(reason: str) -> None:
        if not leaving.done():
            leaving.set_result(reason)

    def look() -> None:
        idleness.look(needed=server.clients > 0 or service.needed)

    _leave_on_signals(leave)
    keep_alive = settings.host.keep_alive if options.keep_alive is None else options.keep_alive
    idleness = Idleness(keep_alive, lambda: leave(f"nobody needed it for {keep_alive:g} seconds."))
    last = LastModel(store)
    server = HostServer(paths.socket, program=PROGRAM, on_clients=look)
    service = Service(
        store,
        lambda: load_settings(paths),
        last.noted(loader(lambda: load_settings(paths), paths.states_dir)),
        server.publish,
        program=PROGRAM,
        on_stop=lambda: leave("it was told to stop."),
        on_turns=look,
        clients=lambda: server.clients,
        news=news,
        models=partial(ModelLibrary, paths, lambda: load_settings(paths)),
    )
    await server.start(service)
    service.take_up_downloads()
    idleness.begin()
    model = first_model(options, last.source, paths, settings)
    if model is not None:
        service.load(model)
    _log.info("the host listens at %s", paths.socket)
    reason = await leaving
    _log.info("the host leaves: %s", reason)
    idleness.cancel()
    server.stop_accepting()
    await service.close()
    last.forget()
    await server.close(reason)


def first_model(
    options: HostOptions, last: ModelSource | None, paths: Paths, settings: Settings
) -> ModelSource | None:
    """What is loaded at start; `last` is what a host had that was killed."""
    is_named = bool(options.model or options.server) or not options.load
    gone = isinstance(last, Path) and not last.is_file()
    if last is not None and not gone and (options.again or not is_named):
        return last
    if not options.load:
        return None
    return chosen_source(
        paths,
        settings,
        model=options.model,
        server=options.server,
        server_model=options.server_model,
    )


def _leave_on_signals(leave: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(one, leave, f"it was ended by {one.name}.")


if __name__ == "__main__":
    raise SystemExit(main())
