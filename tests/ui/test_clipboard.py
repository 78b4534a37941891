"""Copying: through what lies in between, as far as it is known to work, and truly told."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemma_chat.ui import clipboard
from gemma_chat.ui.clipboard import MOST_BYTES, Clipboard, local_programs, osc52, takes_osc52

XTERM = {"TERM": "xterm-256color"}
SSH = {**XTERM, "SSH_CONNECTION": "10.0.0.1 22 10.0.0.2 22"}


class Terminal:
    """What was sent, and the folder for what cannot be."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.sent: list[str] = []
        self.clipboard = Clipboard(self.sent.append, environment, lambda: folder / "state")


def put_program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of this name, alone on the path but for the shell's own commands."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    # Only a program that hangs takes as long.
    monkeypatch.setattr(clipboard, "PROGRAM_SECONDS", 60.0)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder / "taken"


def payload_of(sequence: str) -> str:
    """The text that a terminal without anything in between would take."""
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    return base64.b64decode(sequence[7:-1]).decode()


@pytest.mark.parametrize("text", ["plain", "漢字 👩‍👩‍👧 שלום", "\x1b]0;owned\x07", "a\nb"])
def test_the_terminal_is_asked_to_take_exactly_the_text(text: str) -> None:
    assert payload_of(osc52(text, XTERM)) == text


def test_a_text_without_utf8_is_still_sent() -> None:
    assert payload_of(osc52("a\ud800b", XTERM)) == "a?b"


def test_it_is_handed_on_by_what_is_in_between() -> None:
    wrapped = osc52("text", {**XTERM, "STY": "1.pts-0.host"})
    assert payload_of(wrapped.removeprefix("\x1bP").removesuffix("\x1b\\")) == "text"


@pytest.mark.parametrize(
    ("environment", "takes"),
    [
        (XTERM, True),
        ({"TERM": "linux"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({**XTERM, "TERM_PROGRAM": "Apple_Terminal"}, False),
        ({**XTERM, "VTE_VERSION": "6800"}, False),
        ({**XTERM, "VTE_VERSION": "7601"}, True),
        ({**XTERM, "VTE_VERSION": "new"}, True),
        ({"TERM": "linux", "TMUX": "x"}, True),
    ],
)
def test_terminals_that_take_no_copies_are_known(environment: dict[str, str], takes: bool) -> None:
    assert takes_osc52(environment) is takes


def test_no_program_of_this_machine_is_used_over_ssh() -> None:
    assert local_programs({**SSH, "DISPLAY": "localhost:10.0"}) == ()
    names = [program.name for program in local_programs({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"})]
    assert names[:3] == ["wl-copy", "xclip", "xsel"]


async def test_over_ssh_the_text_is_sent_and_not_said_to_be_copied(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, SSH)
    copied = await terminal.clipboard.copy("one\ntwo")
    assert [payload_of(sequence) for sequence in terminal.sent] == ["one\ntwo"]
    assert copied.sentence == "7 characters in 2 lines sent to the terminal's clipboard."


async def test_tmux_is_given_the_text_also_where_it_lets_nothing_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = put_program(
        tmp_path, "tmux", f'echo "$@" >{tmp_path}/how; cat >{tmp_path}/taken', monkeypatch
    )
    terminal = Terminal(tmp_path, {**SSH, "TMUX": "x"})
    copied = await terminal.clipboard.copy("text")
    assert taken.read_text() == "text"
    assert (tmp_path / "how").read_text() == "load-buffer -w -\n"
    assert (copied.way, len(terminal.sent)) == ("tmux", 1)
    assert copied.sentence == "4 characters copied to tmux, and sent on to its terminal."


async def test_a_tmux_that_cannot_be_reached_is_not_said_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(tmp_path, "tmux", "exit 1", monkeypatch)
    terminal = Terminal(tmp_path, {**SSH, "TMUX": "x"})
    copied = await terminal.clipboard.copy("text")
    assert copied.way == "terminal"
    assert "if tmux lets it through" in copied.sentence


async def test_too_much_for_a_terminal_goes_to_a_program_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = put_program(tmp_path, "wl-copy", f"cat >{tmp_path}/taken", monkeypatch)
    terminal = Terminal(tmp_path, {**XTERM, "WAYLAND_DISPLAY": "w"})
    text = "x" * (MOST_BYTES + 1)
    copied = await terminal.clipboard.copy(text)
    assert terminal.sent == []
    assert taken.read_text() == text
    assert copied.way == "program"
    assert "copied with wl-copy (too much for the terminal)" in copied.sentence


async def test_what_can_go_nowhere_else_is_written_to_a_private_file(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, {**SSH, "TERM": "linux"})
    copied = await terminal.clipboard.copy("text\r\n")
    file = tmp_path / "state" / "copied.txt"
    assert file.read_bytes() == b"text\r\n"
    assert file.stat().st_mode & 0o077 == 0
    assert copied.sentence.endswith(f"written to {file} (this terminal takes no copies).")


async def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the place of the folder")
    copied = await Terminal(tmp_path, {}).clipboard.copy("text")
    assert copied.way == "nowhere"
    assert copied.sentence.startswith("Not copied: this terminal takes no copies, and ")
