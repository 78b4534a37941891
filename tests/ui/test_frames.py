"""Frames for a slow line: the terminal shows the same, and far fewer bytes were sent for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from tests.ui.scripted import ScriptedLink, make_app, tab
from tests.ui.small_vt import SmallVt
from textual.strip import Strip

from gemma_chat.config.settings import TerminalSettings
from gemma_chat.ui.frames import Frames, erases_in_colour, is_frugal

WIDTH, HEIGHT = 24, 8
STYLES = (Style.parse("red"), Style.parse("bold on blue"), Style(), Style.parse("underline"))
TEXTS = ("ab", "x", "漢", "é", "   ", "──", " " * 13)
PIECES = st.tuples(st.sampled_from(TEXTS), st.sampled_from(STYLES))
ROWS = st.lists(PIECES, max_size=8).map(
    lambda pieces: Strip([Segment(text, style) for text, style in pieces]).adjust_cell_length(
        WIDTH, STYLES[2]
    )
)
PICTURES = st.lists(ROWS, min_size=HEIGHT, max_size=HEIGHT)


def drawn_plainly(strips: list[Strip]) -> list[list[tuple[str, str]]]:
    """What a terminal shows that is sent the whole picture."""
    terminal = SmallVt(WIDTH, HEIGHT)
    terminal.feed(Frames().update(strips, ColorSystem.TRUECOLOR))
    return terminal.cells


@given(st.lists(st.tuples(PICTURES, st.integers(-4, 4)), min_size=2, max_size=5), st.booleans())
def test_after_every_frame_the_terminal_shows_the_whole_picture(
    steps: list[tuple[list[Strip], int]], erases: bool
) -> None:
    terminal, frames = SmallVt(WIDTH, HEIGHT), Frames(erases=erases)
    before: list[Strip] = []
    for picture, moved in steps:
        # Half of the rows of the last picture stay, moved up or down, as in a transcript.
        kept = before[max(0, moved) : HEIGHT // 2 + max(0, moved)]
        place = max(0, -moved)
        strips = [*picture[:place], *kept, *picture][:HEIGHT]
        terminal.feed(frames.update(strips, ColorSystem.TRUECOLOR))
        assert terminal.cells == drawn_plainly(strips)
        before = strips


def rows(*texts: str) -> list[Strip]:
    return [Strip([Segment(text.ljust(WIDTH), STYLES[0])]) for text in texts]


def test_what_has_not_changed_costs_nothing_and_one_letter_costs_one_letter() -> None:
    frames = Frames()
    frames.update(rows("one", "two"), ColorSystem.TRUECOLOR)
    assert frames.update(rows("one", "two"), ColorSystem.TRUECOLOR) == ""
    written = frames.update(rows("one", "tXo"), ColorSystem.TRUECOLOR)
    assert written == "\x1b[2;2H\x1b[31mX\x1b[0m"


def test_rows_that_moved_up_are_moved_by_the_terminal() -> None:
    frames = Frames()
    lines = [f"line {number} of it" for number in range(HEIGHT + 1)]
    frames.update(rows(*lines[:HEIGHT]), ColorSystem.TRUECOLOR)
    written = frames.update(rows(*lines[1:]), ColorSystem.TRUECOLOR)
    assert "\x1b[1;8r\x1b[8;1H\n\x1b[r" in written
    assert "line 8" in written
    assert "line 7" not in written


def test_blanks_are_erased_in_the_colour_of_their_ground_and_lines_below_them_stay() -> None:
    frames = Frames(erases=True)
    blank, ruled = (
        Strip([Segment("a" + " " * 20 + "b"), Segment(" " * (WIDTH - 22), style)])
        for style in (Style.parse("on blue"), Style.parse("underline"))
    )
    assert frames.update([blank], ColorSystem.TRUECOLOR) == (
        "\x1b[1;1Ha\x1b[20X\x1b[20Cb\x1b[44m  \x1b[0m"
    )
    empty = Strip([Segment(" " * WIDTH, Style.parse("on blue"))])
    frames.forget()
    assert frames.update([empty], ColorSystem.TRUECOLOR) == "\x1b[1;1H\x1b[44m\x1b[K\x1b[0m"
    assert "\x1b[4m  \x1b[0m" in frames.update([ruled], ColorSystem.TRUECOLOR)


def test_screen_does_not_erase_in_colour() -> None:
    assert erases_in_colour({"TERM": "xterm-256color"})
    assert not erases_in_colour({"TERM": "screen.xterm-256color"})
    assert not erases_in_colour({})


def test_after_something_else_was_drawn_the_whole_picture_is_sent() -> None:
    frames = Frames()
    whole = frames.update(rows("one", "two"), ColorSystem.TRUECOLOR)
    frames.forget()
    assert frames.update(rows("one", "two"), ColorSystem.TRUECOLOR) == whole


@pytest.mark.parametrize(
    ("wish", "environment", "frugal"),
    [
        ("auto", {}, False),
        ("auto", {"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, True),
        ("auto", {"SSH_TTY": "/dev/pts/3"}, True),
        ("never", {"SSH_TTY": "/dev/pts/3"}, False),
        ("always", {}, True),
    ],
)
def test_bytes_count_over_ssh_unless_the_person_says_otherwise(
    wish: str, environment: dict[str, str], frugal: bool
) -> None:
    settings = TerminalSettings(slow_line=wish)
    assert is_frugal(settings.slow_line, environment) == frugal


@pytest.mark.parametrize(("line", "blinks"), [({}, True), ({"SSH_TTY": "/dev/pts/3"}, False)])
async def test_the_cursor_does_not_blink_over_a_slow_line(
    line: dict[str, str], blinks: bool
) -> None:
    link = ScriptedLink()
    app = make_app(link, environment={"TERM": "xterm-256color", **line})
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        assert app.window.composer.editor.cursor_blink is blinks
