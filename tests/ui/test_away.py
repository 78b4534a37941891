"""Leaving the screen on a real terminal: the editor, the shell, and the way back."""

from __future__ import annotations

import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.ui.pty_terminal import APP, PATIENCE, PtyTerminal, on_terminal

from gemma_chat.ui.away import editor_command

PROGRAM = """
import sys
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui import start
paths = Paths.default()
launch = HostLaunch(paths, ("--no-such-option",))
sys.exit(start.run_terminal(start.TerminalOptions(load_settings(paths), launch)))
"""
BASH = "import os; os.execvp('bash', ['bash', '--norc', '--noprofile', '-i'])"
PAINTED = "ctrl+j new line"
EDIT, SUSPEND, QUIT = "\x0f", "\x1a", "\x11"


def script(folder: Path, code: str) -> str:
    """An editor made of this code; `file` is what it shall edit."""
    file = folder / "editor.py"
    file.write_text(f"import os, pathlib, signal, sys\nfile = pathlib.Path(sys.argv[1])\n{code}\n")
    return f"{sys.executable} {file}"


@contextmanager
def program(home: Path, editor: str) -> Iterator[PtyTerminal]:
    environment = {"GEMMA_CHAT_HOME": str(home), "VISUAL": editor}
    with on_terminal(PROGRAM, environment) as terminal:
        terminal.until(PAINTED)
        terminal.send("draft")
        terminal.until("draft")
        yield terminal


def back(terminal: PtyTerminal, words: str) -> None:
    """Wait until the program is on the screen again and shows this."""
    assert terminal.output.count(b"\x1b[?1049h") >= 1
    terminal.output = b""
    terminal.until("\x1b[?1049h")
    terminal.until(words)


def test_the_editor_gets_the_draft_and_the_terminal_and_what_it_saves_comes_back(
    tmp_path: Path,
) -> None:
    editor = script(
        tmp_path,
        "print('EDITOR HAS', file.read_text().strip(), os.isatty(0), os.isatty(1), os.isatty(2))\n"
        "file.write_text('edited 漢字\\n')",
    )
    with program(tmp_path, editor) as terminal:
        terminal.send(EDIT)
        terminal.until("EDITOR HAS draft True True True")
        assert terminal.output.rindex(b"\x1b[?1049l") < terminal.output.rindex(b"EDITOR HAS")
        terminal.until("edited 漢字")
        terminal.send(" more")
        terminal.until("more")
        terminal.send(QUIT)
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit(3)", "ended with code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
        ("file.write_bytes(b'\\xff')", "is not UTF-8 text"),
        ("file.unlink()", "cannot be read"),
    ],
)
def test_an_editor_that_fails_leaves_the_draft(tmp_path: Path, code: str, words: str) -> None:
    with program(tmp_path, script(tmp_path, code)) as terminal:
        terminal.send(EDIT)
        back(terminal, words.partition(" ")[2])
        terminal.until("draft")
        terminal.send(QUIT)
        assert terminal.wait() == 0


def test_an_editor_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with program(tmp_path, "no-such-editor --wait") as terminal:
        terminal.send(EDIT)
        back(terminal, "no-such-editor")
        terminal.send(QUIT)
        assert terminal.wait() == 0


def test_the_program_told_to_end_while_the_editor_runs_ends(tmp_path: Path) -> None:
    editor = script(tmp_path, "print('EDITOR RUNS', flush=True)\nsignal.pause()")
    with program(tmp_path, editor) as terminal:
        terminal.send(EDIT)
        terminal.until("EDITOR RUNS")
        terminal.signal(signal.SIGTERM)
        assert terminal.wait() == 128 + signal.SIGTERM
        assert terminal.attributes[3] & termios.ICANON
        end = terminal.output[terminal.output.rindex(b"\x1b[?1049l") :]
        assert b"\x1b[?1049h" not in end


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_it_back(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    environment = {"GEMMA_CHAT_HOME": str(tmp_path), "PS1": "shell> ", "PYTHONPATH": str(APP)}
    with on_terminal(BASH, environment) as terminal:
        terminal.until("shell> ")
        terminal.send(f"{sys.executable} {file}\r")
        terminal.until(PAINTED)
        terminal.send("draft")
        terminal.until("draft")
        for _ in range(2):
            terminal.output = b""
            terminal.send(SUSPEND)
            terminal.until("\x1b[?1049l")
            terminal.until("Stopped")
            terminal.send("echo the-$((20+3))-shell\r")
            terminal.until("the-23-shell")
            terminal.output = b""
            terminal.send("fg\r")
            terminal.until("\x1b[?1049h")
            terminal.until("draft")
        terminal.send("!")
        terminal.until("draft!")
        terminal.output = b""
        terminal.send(QUIT)
        terminal.until("shell> ")
        terminal.send("echo code-$?; exit\r")
        terminal.until("code-0")
        assert terminal.wait() == 0


def test_when_the_process_in_front_of_it_is_killed_it_leaves_the_terminal_to_the_shell(
    tmp_path: Path,
) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    environment = {"GEMMA_CHAT_HOME": str(tmp_path), "PS1": "shell> ", "PYTHONPATH": str(APP)}
    with on_terminal(BASH, environment) as terminal:
        terminal.until("shell> ")
        terminal.send(f"{sys.executable} {file}\r")
        terminal.until(PAINTED)
        (supervisor,) = terminal.children()
        (program,) = psutil.Process(supervisor).children()
        terminal.signal(signal.SIGKILL, supervisor)
        terminal.until("\x1b[?1049l")
        terminal.until("Killed")
        gone, _ = psutil.wait_procs([program], timeout=PATIENCE)
        assert gone == [program]
        terminal.send("echo the-$((20+3))-shell; exit\r")
        terminal.until("the-23-shell")
        terminal.wait()
        assert b"Traceback" not in terminal.output


def test_without_a_shell_nothing_is_suspended_and_that_is_said(tmp_path: Path) -> None:
    with program(tmp_path, "vi") as terminal:
        terminal.send(SUSPEND)
        terminal.until("There is no shell")
        terminal.send(QUIT)
        assert terminal.wait() == 0


def test_a_large_paste_is_folded_within_a_moment_and_its_keys_are_not_lost(tmp_path: Path) -> None:
    with program(tmp_path, "vi") as terminal:
        terminal.paste("0123456789\r" * 90_000 + "end")
        terminal.until("pasted 90,001 lines")
        terminal.send(" after")
        terminal.until("after")
        terminal.send(QUIT)
        assert terminal.wait() == 0


def test_the_editor_is_visual_then_editor_then_vi() -> None:
    assert editor_command({"VISUAL": "code --wait", "EDITOR": "nano"}) == ["code", "--wait"]
    assert editor_command({"VISUAL": "", "EDITOR": "nano"}) == ["nano"]
    assert editor_command({}) == ["vi"]
    with pytest.raises(ValueError, match="quot"):
        editor_command({"EDITOR": "'unbalanced"})
