"""The real program, line by line: on a terminal, and at the end of a pipe."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.sessions.scripted import ScriptedEngine
from tests.ui.pty_terminal import APP, on_terminal
from tests.ui.tmux_terminal import NEARBY, host_in_reach

PROGRAM = """
import sys
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui import start
paths = Paths.default()
launch = HostLaunch(paths, ("--no-such-option",))
options = start.TerminalOptions(load_settings(paths), launch, plain=True)
sys.exit(start.run_terminal(options))
"""


async def test_on_a_terminal_nothing_but_text_is_written() -> None:
    async with host_in_reach(ScriptedEngine(), NEARBY) as (_, _, variables):
        await asyncio.to_thread(_converse, variables)


def _converse(variables: Mapping[str, str]) -> None:
    with on_terminal(PROGRAM, variables) as terminal:
        terminal.until("You: ")
        terminal.send("hello there\r")
        terminal.until("Assistant: 1: hello there")
        terminal.until("Done: ")
        terminal.send("/quit\r")
        assert terminal.wait() == 0
        assert b"Left." in terminal.output
        assert b"\x1b" not in terminal.output


async def test_a_pipe_is_answered_line_by_line_and_ends_the_program(tmp_path: Path) -> None:
    typed = b"hello\nand \\\nmore\n\x1b[2J\n/tabs"
    async with host_in_reach(ScriptedEngine(), NEARBY) as (_, _, variables):
        program = tmp_path / "program.py"
        program.write_text(PROGRAM)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(APP), "LANG": "C.UTF-8", **variables},
        )
        said, _ = await process.communicate(typed)
        assert process.returncode == 0
    lines = said.decode().splitlines()
    exchange = [line for line in lines if line.startswith(("You: ", "Assistant: ", "  "))]
    assert exchange == [
        "You: hello",
        "Assistant: 1: hello",
        "You: and ",
        "  more",
        "Assistant: 2: and ",
        "  more",
        "You: ␛[2J",
        "Assistant: 3: ␛[2J",
    ]
    assert lines[-1].endswith("6 messages, you are here.")
