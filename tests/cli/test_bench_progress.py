"""How far the bench is: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io

import pytest

from gemma_chat.cli.bench_progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def go_through(progress: Progress) -> None:
    """Two measurements of three ticks; the first cannot be taken after its first tick."""
    with progress:
        progress.say("loading")
        progress.expect({"decode": 3, "fork": 3})
        progress.begin("decode")
        progress.tick()
        progress.begin("fork")
        for _ in range(3):
            progress.tick()


def test_a_terminal_gets_a_bar_that_is_full_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    go_through(Progress())
    shown = terminal.getvalue()
    assert "50%  fork" in shown
    assert "100%" in shown
    assert shown.endswith("\n")


def test_elsewhere_there_is_a_line_for_each_measurement(
    capsys: pytest.CaptureFixture[str],
) -> None:
    go_through(Progress())
    assert capsys.readouterr().err.splitlines() == ["loading …", "1/2 decode", "2/2 fork"]


def test_more_ticks_than_were_said_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Progress() as progress:
        progress.expect({"decode": 1})
        progress.begin("decode")
        for _ in range(5):
            progress.tick()
    assert "100%" in terminal.getvalue()


def test_an_interruption_ends_the_bar_s_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        with Progress() as progress:
            progress.expect({"decode": 2})
            progress.begin("decode")
            raise KeyboardInterrupt

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().endswith("\n")
