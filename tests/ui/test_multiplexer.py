"""What is meant for the terminal gets past tmux and screen, or is not sent at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gemma_chat.ui import multiplexer
from gemma_chat.ui.multiplexer import Multiplexer, multiplexers, takes_mouse, through

TMUX = {"TMUX": "/tmp/tmux-0/default,1,0"}
SCREEN = {"STY": "1.pts-0.host"}
TELL = "\x1b]9;done\x07"


@pytest.mark.parametrize(
    ("environment", "passed"), [({}, ()), (TMUX, ("tmux",)), (SCREEN, ("screen",))]
)
def test_a_multiplexer_is_known_by_its_variable(
    environment: Mapping[str, str], passed: tuple[Multiplexer, ...]
) -> None:
    assert multiplexers(environment) == passed


@pytest.mark.parametrize("inner", ["tmux", "screen"])
def test_of_two_the_one_that_the_program_descends_from_more_closely_is_the_inner_one(
    inner: str, tmp_path: Path
) -> None:
    program = tmp_path / inner
    code = f"from gemma_chat.ui.multiplexer import multiplexers as m; print(m({TMUX | SCREEN}))"
    # The shell stays, because there is something to do afterwards; its name is that of the script.
    program.write_text(f'#!/bin/sh\n"{sys.executable}" -c "{code}"\nexit $?\n')
    program.chmod(0o700)
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    outer = "screen" if inner == "tmux" else "tmux"
    assert said.strip() == str((inner, outer))


def test_tmux_gets_an_envelope_with_every_escape_doubled() -> None:
    assert through(TELL, ("tmux",)) == "\x1bPtmux;\x1b\x1b]9;done\x07\x1b\\"


def test_screen_gets_envelopes_that_fit_its_buffer() -> None:
    written = through("\x1b]52;c;" + "A" * 5_000 + "\x07", ("screen",))
    pieces = [piece.removeprefix("\x1bP") for piece in written.split("\x1b\\")[:-1]]
    assert max(map(len, pieces)) <= 256
    assert "".join(pieces) == "\x1b]52;c;" + "A" * 5_000 + "\x07"


def test_tmux_within_screen_hands_screen_its_envelope() -> None:
    inner = through(TELL, ("screen",)).replace("\x1b", "\x1b\x1b")
    assert through(TELL, ("tmux", "screen")) == f"\x1bPtmux;{inner}\x1b\\"


def test_through_screen_within_tmux_nothing_gets() -> None:
    assert through(TELL, ("screen", "tmux")) == ""


def test_nothing_in_between_leaves_it_as_it_is() -> None:
    assert through(TELL, ()) == TELL


def test_the_mouse_is_left_to_screen_unless_the_person_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert takes_mouse("auto", {}) is takes_mouse("auto", TMUX) is True
    assert takes_mouse("auto", SCREEN) is False
    assert takes_mouse(True, SCREEN) is True
    assert takes_mouse(False, {}) is False
    monkeypatch.setattr(multiplexer, "_nearest", lambda: "tmux")
    assert takes_mouse("auto", TMUX | SCREEN) is True
