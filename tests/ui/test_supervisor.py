"""The terminal is put back at every end, and the exit code says what happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from tests.ui.pty_terminal import on_terminal

from gemma_chat.ui.terminal import RESET_SEQUENCES

SUPERVISED = """
import os, select, signal, sys, termios, tty
from gemma_chat.ui.supervisor import supervise
def child(supervisor):
    tty.setraw(0)
    os.write(2, b"\\x1b[?1049hREADY")
    {body}
sys.exit(supervise(child))
"""
SLEEP = "signal.pause(); return 0"


def supervised(body: str) -> str:
    return SUPERVISED.format(body=body)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_is_killed_leaves_a_whole_terminal_a_sentence_and_its_signal(
    number: signal.Signals,
) -> None:
    with on_terminal(supervised(SLEEP)) as terminal:
        before = terminal.attributes
        terminal.until("READY")
        assert terminal.attributes != before
        terminal.signal(number, terminal.children()[0])
        assert terminal.wait() == 128 + number
        assert terminal.attributes == before
        assert RESET_SEQUENCES.encode() in terminal.output
        assert f"was ended by {number.name}".encode() in terminal.output


def test_the_exit_code_of_a_child_that_ends_by_itself_is_passed_on() -> None:
    with on_terminal(supervised("return 7")) as terminal:
        assert terminal.wait() == 7
        assert b"was ended by" not in terminal.output


def test_an_exception_in_the_child_is_printed_and_the_exit_code_is_one() -> None:
    with on_terminal(supervised("raise ValueError('told')")) as terminal:
        assert terminal.wait() == 1
        assert b"ValueError: told" in terminal.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_supervisor_reaches_the_child(number: signal.Signals) -> None:
    body = f"signal.signal({int(number)}, lambda *a: os._exit(40)); os.write(2, b'SET'); " + SLEEP
    with on_terminal(supervised(body)) as terminal:
        terminal.until("SET")
        terminal.signal(number)
        assert terminal.wait() == 40


LATE = """
import os, signal, sys
from gemma_chat.ui import supervisor
told, telling = os.pipe()
pass_on_signals = supervisor._pass_on_signals
def late(pid):
    os.read(told, 1)
    return pass_on_signals(pid)
supervisor._pass_on_signals = late
def child(_):
    os.kill(os.getppid(), {number})
    os.write(telling, b"x")
    signal.pause()
sys.exit(supervisor.supervise(child))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_is_there_before_it_can_be_passed_on_reaches_the_child_too(
    number: signal.Signals,
) -> None:
    with on_terminal(LATE.format(number=int(number))) as terminal:
        assert terminal.wait() == 128 + number


def test_the_child_notices_that_the_supervisor_was_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "alone"
    os.mkfifo(fifo)
    body = (
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); os.write(2, b'SET');"
        "select.select([supervisor], [], []);"
        f"open({str(fifo)!r}, 'w').write('alone'); return 0"
    )
    with on_terminal(supervised(body)) as terminal:
        terminal.until("SET")
        terminal.signal(signal.SIGKILL)
        assert fifo.read_text() == "alone"
        assert terminal.wait() == -signal.SIGKILL


def test_a_stopped_child_stops_the_supervisor_and_both_go_on_together() -> None:
    body = "os.kill(os.getpid(), signal.SIGSTOP); os.write(2, b'GOES ON'); return 0"
    with on_terminal(supervised(body)) as terminal:
        terminal.until_stopped()
        terminal.signal(signal.SIGCONT)
        terminal.until("GOES ON")
        assert terminal.wait() == 0


def test_a_supervisor_that_goes_on_late_leaves_a_child_that_has_stopped_again_as_it_is() -> None:
    """The shell tells the whole group; the child may be quick and the supervisor have to wait."""
    stop = "os.kill(os.getpid(), signal.SIGSTOP); "
    body = f"{stop}os.write(2, b'ONCE'); {stop}os.write(2, b'TWICE'); return 0"
    with on_terminal(supervised(body)) as terminal:
        terminal.until_stopped()
        [child] = terminal.children()
        terminal.signal(signal.SIGCONT, child)
        terminal.until("ONCE")
        while psutil.Process(child).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        terminal.signal(signal.SIGCONT)
        terminal.until_stopped()
        assert b"TWICE" not in terminal.output
        terminal.signal(signal.SIGCONT)
        terminal.until("TWICE")
        assert terminal.wait() == 0
