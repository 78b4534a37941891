"""One download in a process of its own, followed by what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from gemma_chat.errors import HostError
from gemma_chat.models.fetch_process import Got, Refused, Report

Fetch = Callable[[str, str, Callable[[Report], None]], Awaitable[None]]
"""Downloads the model of this name and tells how it goes, until it ends or is cancelled.

The second text is the token for the hub; without one it is what the host itself was given.
"""

_LINE_BYTES: Final = 1 << 20
_END_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


def fetching_into(folder: Path) -> Fetch:
    """Downloads into `folder`."""

    async def fetch(name: str, token: str, report: Callable[[Report], None]) -> None:
        await _fetch(name, token, folder, report)

    return fetch


async def _fetch(name: str, token: str, folder: Path, report: Callable[[Report], None]) -> None:
    process = await _start(name, token, folder)
    has_ended = False
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                told = msgspec.json.decode(line, type=Report)
            except msgspec.MsgspecError:
                _log.warning("the download of %s said %r", name, line[:200])
                continue
            has_ended = isinstance(told, Got | Refused)
            report(told)
        await process.wait()
    except ValueError as error:
        raise HostError(f"The download of {name} told something that is no report.") from error
    finally:
        await _end(process)
    if not has_ended:
        _log.error("the download of %s ended with %s", name, process.returncode)
        raise HostError(
            f"The download of {name} ended without a word (exit code {process.returncode}). What "
            "has come is kept; try again."
        )


async def _start(name: str, token: str, folder: Path) -> asyncio.subprocess.Process:
    environment = dict(os.environ)
    # Its own progress bars and warnings have nobody to read them.
    environment["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if token:
        # Not on the command line, which other people on this machine can read.
        environment["HF_TOKEN"] = token
    try:
        # -P keeps the directory the host stands in out of its imports.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "gemma_chat.models.fetch_process",
            name,
            str(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            limit=_LINE_BYTES,
        )
    except OSError as error:
        raise HostError(f"The download cannot be started: {error.strerror or error}.") from error


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(asyncio.shield(process.wait()), _END_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
