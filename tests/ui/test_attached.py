"""Several whole terminal programs on one real host: attached, detached, and back again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.host.host_process import kill_host_of
from tests.ui.pty_terminal import PtyTerminal, on_terminal

from gemma_chat.config.paths import Paths
from gemma_chat.host.status import host_status, stop_host
from gemma_chat.ui.leaving import detached

FIRST = """
import sys
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui import start
paths = Paths.default()
launch = HostLaunch(paths, ("--no-model", "--keep-alive", "60"))
sys.exit(start.run_terminal(start.TerminalOptions(load_settings(paths), launch)))
"""
ATTACH = "import sys; sys.argv[1:] = ['attach']; from gemma_chat.cli.main import main; main()"
WITHOUT_MODEL = "No model"
DETACH, QUIT = "\x1bq", "\x11"


@pytest.fixture
def paths(own_home: Path) -> Iterator[Paths]:
    """Of somebody who has been led through the first steps already."""
    paths = Paths.default()
    paths.state_dir.mkdir(parents=True)
    paths.first_steps_file.touch()
    yield paths
    kill_host_of(paths)


@pytest.fixture
def desk(own_home: Path) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(desk: ExitStack, code: str, title: str = "Untitled") -> PtyTerminal:
    """A terminal that is connected and shows the tab with this title."""
    terminal = desk.enter_context(
        on_terminal(code, {"GEMMA_CHAT_HOME": os.environ["GEMMA_CHAT_HOME"]})
    )
    terminal.until(title)
    terminal.until(WITHOUT_MODEL)
    return terminal


def test_terminals_share_tabs_and_not_drafts_and_a_detached_host_keeps_everything(
    paths: Paths, desk: ExitStack
) -> None:
    anne = opened(desk, FIRST)
    bert = opened(desk, ATTACH)
    anne.send("/title Harbour\r")
    bert.until("Harbour")
    for terminal, draft in ((anne, "δ"), (bert, "ω")):
        terminal.send(draft)
        terminal.until(draft)
    bert.send(QUIT)
    assert bert.wait() == 0
    anne.send(DETACH)
    assert anne.wait() == 0
    assert detached("gemma-chat").encode() in anne.output
    status = asyncio.run(host_status(paths))
    assert status is not None
    assert (status.clients, status.stays) == (0, True)
    cleo = opened(desk, ATTACH, "Harbour")
    cleo.until("δ")
    cleo.until("ω")
    cleo.send(QUIT)
    assert cleo.wait() == 0
    assert asyncio.run(stop_host(paths))


def test_attaching_to_no_host_is_a_sentence_on_a_sane_terminal(desk: ExitStack) -> None:
    alone = desk.enter_context(
        on_terminal(ATTACH, {"GEMMA_CHAT_HOME": os.environ["GEMMA_CHAT_HOME"]})
    )
    assert alone.wait() == 3
    assert b"No host is running. `gemma-chat` starts one." in alone.output
    assert b"\x1b[?1049h" not in alone.output
