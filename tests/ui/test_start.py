"""The whole terminal program on a real terminal: how it begins and how it ends."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.ui.pty_terminal import PtyTerminal, on_terminal

from gemma_chat.ui.splash import outline, typed_text
from gemma_chat.ui.terminal import RESET_SEQUENCES, WIPE

PROGRAM = """
import sys
from gemma_chat.config.paths import Paths
from gemma_chat.config.settings import load_settings
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui import start
paths = Paths.default()
{before}
launch = HostLaunch(paths, ("--no-such-option",))
sys.exit(start.run_terminal(start.TerminalOptions(load_settings(paths), launch, {options})))
"""
PAINTED = "ctrl+j new line"


@contextmanager
def program(
    home: Path,
    *,
    before: str = "",
    options: str = "",
    term: str = "xterm-256color",
    **variables: str,
) -> Iterator[PtyTerminal]:
    """The program, with a host that cannot start."""
    environment = {"GEMMA_CHAT_HOME": str(home), "TERM": term, **variables}
    with on_terminal(PROGRAM.format(before=before, options=options), environment) as terminal:
        yield terminal


def assert_restored(terminal: PtyTerminal) -> None:
    end = terminal.output[terminal.output.rindex(b"\x1b[?1049l") :]
    assert b"\x1b[?1049h" not in end
    assert b"\x1b[?25h" in end
    # Where there is no second screen to leave, the picture does not stay either.
    left = terminal.output[terminal.output.rindex(WIPE.encode()) : terminal.output.rindex(end)]
    assert re.sub(rb"\x1b\[[<>?]?[\d;]*[A-Za-z]", b"", left) == b""


def test_it_paints_before_there_is_a_host_and_leaves_by_ctrl_q(tmp_path: Path) -> None:
    with program(tmp_path) as terminal:
        before = terminal.attributes
        terminal.until(PAINTED)
        terminal.send("\x11")
        assert terminal.wait() == 0
        assert terminal.attributes == before
        assert_restored(terminal)


def test_what_is_typed_while_it_starts_stands_in_the_input(tmp_path: Path) -> None:
    with program(tmp_path) as terminal:
        terminal.until("starting…")
        terminal.send("typed \x1b[Aearly")
        terminal.until(PAINTED)
        terminal.until("typed early")
        terminal.send("\x11")
        assert terminal.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_while_it_starts_it_leaves_a_whole_terminal(
    tmp_path: Path, number: signal.Signals
) -> None:
    with program(tmp_path) as terminal:
        before = terminal.attributes
        terminal.until("starting…")
        terminal.signal(number)
        assert terminal.wait() == 128 + number
        assert terminal.attributes == before
        assert_restored(terminal)


def test_a_failure_while_it_starts_takes_the_outline_away(tmp_path: Path) -> None:
    with program(tmp_path, before="sys.modules['textual'] = None") as terminal:
        assert terminal.wait() == 1
        assert_restored(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_told_to_end_it_restores_the_terminal_and_says_so(
    tmp_path: Path, number: signal.Signals
) -> None:
    with program(tmp_path) as terminal:
        before = terminal.attributes
        terminal.until(PAINTED)
        terminal.signal(number)
        assert terminal.wait() == 128 + number
        assert terminal.attributes == before
        assert_restored(terminal)


def test_killed_it_leaves_a_whole_terminal(tmp_path: Path) -> None:
    with program(tmp_path) as terminal:
        before = terminal.attributes
        terminal.until(PAINTED)
        terminal.signal(signal.SIGKILL, terminal.children()[0])
        assert terminal.wait() == 128 + signal.SIGKILL
        assert terminal.attributes == before
        assert (WIPE + RESET_SEQUENCES).encode() in terminal.output


def test_an_exception_ends_it_with_code_one_and_a_whole_terminal(tmp_path: Path) -> None:
    breaking = (
        "from gemma_chat.ui.commands import Commands\n"
        "def broken(self): raise RuntimeError('broken on purpose')\n"
        "Commands.help = broken"
    )
    with program(tmp_path, before=breaking) as terminal:
        before = terminal.attributes
        terminal.until(PAINTED)
        terminal.send("\x1bOP")
        assert terminal.wait() == 1
        assert terminal.attributes == before
        assert_restored(terminal)
        assert b"broken on purpose" in terminal.output


def test_what_native_code_prints_goes_into_the_log_and_not_onto_the_screen(tmp_path: Path) -> None:
    printing = (
        "import os\n"
        "from gemma_chat.ui.commands import Commands\n"
        "def printing(self): os.write(2, b'ggml says hello'); self._app.leave()\n"
        "Commands.help = printing"
    )
    with program(tmp_path, before=printing) as terminal:
        terminal.until(PAINTED)
        terminal.send("\x1bOP")
        assert terminal.wait() == 0
        assert b"ggml says hello" not in terminal.output
    assert "ggml says hello" in (tmp_path / "state" / "terminal.log").read_text()


def test_a_host_that_does_not_start_is_explained_on_the_page(tmp_path: Path) -> None:
    with program(tmp_path) as terminal:
        terminal.until("gemma-chat host status")
        terminal.send("\x11")
        assert terminal.wait() == 0


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_move_the_cursor_gets_the_plain_line_mode_and_is_told_why(
    tmp_path: Path, term: str
) -> None:
    with program(tmp_path, term=term) as terminal:
        terminal.until("cannot move the cursor")
        terminal.until("You: ")
        terminal.send("/quit\r")
        assert terminal.wait() == 0
        assert b"\x1b" not in terminal.output


def test_without_a_terminal_it_names_the_command_for_scripts(tmp_path: Path) -> None:
    with program(tmp_path, before="import os; os.dup2(os.open('/dev/null', os.O_RDWR), 0)") as it:
        assert it.wait() == 2
        assert b"gemma-chat ask" in it.output


def test_without_colours_it_draws_no_colour_on_the_same_colour(tmp_path: Path) -> None:
    with program(tmp_path, options="theme='ansi-dark'", NO_COLOR="1") as terminal:
        terminal.until(PAINTED)
        terminal.send("\x11")
        assert terminal.wait() == 0
        assert b"38;5;16;48;5;16" not in terminal.output


def test_a_broken_theme_file_and_an_unknown_theme_are_told(tmp_path: Path) -> None:
    themes = tmp_path / "config" / "themes"
    themes.mkdir(parents=True)
    (themes / "mine.toml").write_text("primary = 7")
    with program(tmp_path, options="theme='[no/such]'") as terminal:
        terminal.until("mine.toml")
        terminal.until("There is no theme")
        terminal.send("\x11")
        assert terminal.wait() == 0


def test_the_size_is_that_of_the_terminal_whatever_a_shell_or_a_pipe_says(tmp_path: Path) -> None:
    to_a_file = "import os; os.dup2(os.open('/dev/null', os.O_WRONLY), 1)"
    with program(tmp_path, before=to_a_file, COLUMNS="40", LINES="10") as terminal:
        terminal.resize(100, 30)
        terminal.until("─" * 90)
        terminal.until("\x1b[30;")
        terminal.send("\x11")
        assert terminal.wait() == 0


def test_only_text_is_kept_of_what_was_typed_early() -> None:
    assert typed_text(b"a\x1b[Ab\x1bOPc\x1b[200~d\x01\x7f\r\xe6\xbc\xa2\xff") == "abcd\n漢"
    assert typed_text(b"\x1b") == ""


@pytest.mark.parametrize("size", [(1, 1), (40, 10), (80, 24)])
def test_the_outline_fits_every_terminal(size: tuple[int, int]) -> None:
    text = typed_text(outline(*size).encode())
    assert len(text) <= 2 * size[0]
