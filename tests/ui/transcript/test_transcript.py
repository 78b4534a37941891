"""The widget in a running app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from tests.ui.markdown import documents as d
from tests.ui.transcript.messages import history, message
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.strip import Strip

from gemma_chat.host.protocol import MessageView, ScrollPosition
from gemma_chat.ui.themes import window_colours
from gemma_chat.ui.transcript import Transcript, pacing
from gemma_chat.ui.transcript.widget import NEW_TEXT_BELOW

SIZE = (40, 12)
ALLOWED = "\u200d\u200c\u3000"
"""Joiners and the wide space: Python does not call them printable, terminals do."""


class OneTranscript(App[None]):
    """A transcript, and what it posted."""

    def __init__(self) -> None:
        super().__init__()
        self.scrolled: list[ScrollPosition] = []
        self.wanted: list[int] = []

    def get_css_variables(self) -> dict[str, str]:
        return super().get_css_variables() | window_colours(self.current_theme)

    def compose(self) -> ComposeResult:
        yield Transcript()

    def on_transcript_scrolled(self, event: Transcript.Scrolled) -> None:
        self.scrolled.append(event.position)

    def on_transcript_older_wanted(self, event: Transcript.OlderWanted) -> None:
        self.wanted.append(event.before)

    @property
    def transcript(self) -> Transcript:
        return self.query_one(Transcript)


@asynccontextmanager
async def running(
    messages: list[MessageView], *, size: tuple[int, int] = SIZE
) -> AsyncIterator[tuple[OneTranscript, Pilot[None]]]:
    app = OneTranscript()
    async with app.run_test(size=size) as pilot:
        app.transcript.show(messages, ScrollPosition(), key=1)
        await pilot.pause()
        yield app, pilot


def strips(app: OneTranscript) -> list[Strip]:
    transcript = app.transcript
    return [transcript.render_line(y) for y in range(transcript.size.height)]


def screen(app: OneTranscript) -> list[str]:
    return [strip.text.rstrip() for strip in strips(app)]


async def painted(pilot: Pilot[None], text: str) -> None:
    """Wait until streamed text stands on the screen."""
    app = pilot.app
    assert isinstance(app, OneTranscript)
    while not any(text in line for line in screen(app)):
        await pilot.pause(0.01)


async def test_a_conversation_is_shown_from_its_end() -> None:
    async with running(history(40)) as (app, _):
        assert screen(app)[-2:] == ["  message 40 paragraph 0", ""]
        assert app.transcript.follows


async def test_it_can_be_filled_before_it_is_on_the_screen() -> None:
    class Filled(OneTranscript):
        def compose(self) -> ComposeResult:
            transcript = Transcript()
            transcript.show([message(1, "early", state="streaming")], ScrollPosition(), key=1)
            transcript.append(1, 5, " text")
            transcript.put(message(2, "more"))
            yield transcript

    app = Filled()
    async with app.run_test(size=SIZE) as pilot:
        await painted(pilot, "early text")

        assert screen(app)[4] == "  more"


async def test_what_came_while_it_was_hidden_is_there_when_it_is_shown_again() -> None:
    async with running([*history(30), message(31, "", state="streaming")]) as (app, pilot):
        app.transcript.display = False
        await pilot.pause()
        app.transcript.append(31, 0, "line\n\n" * 20 + "last line")
        app.transcript.put(message(32, "newest"))
        while app.transcript._flush_timer is not None:
            await pilot.pause()

        app.transcript.display = True
        await pilot.pause()

        assert screen(app)[-2] == "  newest"
        assert app.transcript.scroll_y == app.transcript.max_scroll_y


async def test_who_speaks_is_told_by_name_and_bar_also_without_colour() -> None:
    talk = [message(1, "Hello", role="user"), message(2, "Good day")]
    async with running(talk) as (app, _):
        assert screen(app)[:5] == ["┃ You", "┃ Hello", "", "  Assistant", "  Good day"]


async def test_streamed_text_appears_and_the_view_follows() -> None:
    async with running([*history(30), message(31, "", state="streaming")]) as (app, pilot):
        text = ""
        for number in range(20):
            piece = f"line {number}\n\n"
            assert app.transcript.append(31, len(text), piece)
            text += piece
        await painted(pilot, "line 19")

        assert app.transcript.follows
        assert app.transcript.scroll_y == app.transcript.max_scroll_y
        assert screen(app)[-2] == "  line 19▌"


async def test_a_gap_in_streamed_text_is_reported_and_a_repetition_is_not() -> None:
    async with running([message(1, "abc", state="streaming")]) as (app, pilot):
        assert app.transcript.append(1, 0, "abc")
        assert not app.transcript.append(1, 4, "x")
        assert not app.transcript.append(2, 0, "x")
        assert app.transcript.append(1, 2, "cdef")
        await painted(pilot, "abcdef▌")


async def test_the_last_pieces_are_shown_when_the_message_is_complete() -> None:
    async with running([message(1, "", state="streaming")]) as (app, pilot):
        app.transcript.append(1, 0, "some **bold")
        app.transcript.put(message(1, "some **bold** text"))
        await pilot.pause()

        assert screen(app)[:2] == ["  Assistant", "  some bold text"]


@pytest.mark.parametrize("key", ["up", "pageup", "home"])
async def test_scrolling_up_keeps_the_place_while_text_streams_in(key: str) -> None:
    async with running([*history(30), message(31, "start", state="streaming")]) as (app, pilot):
        app.transcript.focus()
        await pilot.press(key)
        before = screen(app)
        app.transcript.append(31, 5, "\n\nmore" * 30)
        while not app.transcript.is_text_below:
            await pilot.pause(0.01)

        assert not app.transcript.follows
        assert screen(app)[:-1] == before[:-1]
        assert screen(app)[-1].strip() == NEW_TEXT_BELOW


async def test_the_mouse_wheel_scrolls_up_and_down() -> None:
    async with running(history(30)) as (app, pilot):
        end = screen(app)
        await pilot._post_mouse_events([events.MouseScrollUp], Transcript, button=0)
        assert screen(app)[2:] == end[:-2]
        assert not app.transcript.follows
        await pilot._post_mouse_events([events.MouseScrollDown], Transcript, button=0)

        assert screen(app) == end
        assert app.transcript.follows


@pytest.mark.parametrize("way", ["end", "click", "to_end", "scroll_end"])
async def test_there_is_a_way_back_to_the_newest_text(way: str) -> None:
    async with running(history(30)) as (app, pilot):
        transcript = app.transcript
        transcript.focus()
        await pilot.press("home")
        transcript.put(message(99, "news"))
        await pilot.pause()
        assert transcript.is_text_below

        if way == "end":
            await pilot.press("end")
        elif way == "click":
            await pilot.click(Transcript, offset=(15, SIZE[1] - 1))
        else:
            getattr(transcript, way)()
        await pilot.pause()

        assert screen(app)[-2] == "  news"
        assert not transcript.is_text_below
        assert app.scrolled[-1] == ScrollPosition()


async def test_a_move_of_the_reader_is_told_and_can_be_taken_up_again() -> None:
    async with running(history(60)) as (app, pilot):
        app.transcript.focus()
        await pilot.press("pageup", "pageup", "up")
        before = screen(app)
        position = app.scrolled[-1]
        assert position == app.transcript.scroll_position

        app.transcript.show([message(1, "another")], ScrollPosition(), key=2)
        await pilot.pause()
        app.transcript.show(history(60), position, key=1)
        await pilot.pause()

        assert screen(app) == before


async def test_text_that_streams_in_is_no_move_of_the_reader() -> None:
    async with running([*history(30), message(31, "", state="streaming")]) as (app, pilot):
        app.scrolled.clear()
        app.transcript.append(31, 0, "line\n\n" * 30 + "last")
        await painted(pilot, "last")

        assert app.scrolled == []


async def test_older_messages_are_asked_for_once_and_do_not_move_the_view() -> None:
    async with running(history(60, first=100)) as (app, pilot):
        app.transcript.focus()
        assert app.wanted == []
        await pilot.press("home")
        await pilot.press("down")
        assert app.wanted == [100]
        before = screen(app)

        app.transcript.prepend(history(50, first=50))
        await pilot.pause()

        assert screen(app) == before
        await pilot.press("home")
        assert app.wanted == [100, 50]
        assert screen(app)[1] == "  message 50 paragraph 0"


async def test_older_messages_are_asked_for_again_when_the_reader_comes_back() -> None:
    async with running(history(60, first=100)) as (app, pilot):
        app.transcript.focus()

        await pilot.press("home", "end", "home")
        await pilot.pause()

        assert app.wanted == [100, 100]


async def test_a_message_can_be_taken_out() -> None:
    async with running([message(1, "one"), message(2, "two")]) as (app, pilot):
        app.transcript.remove_message(1)
        app.transcript.remove_message(77)
        await pilot.pause()

        assert screen(app)[:2] == ["  Assistant", "  two"]


async def test_an_empty_conversation_is_an_empty_page() -> None:
    async with running([]) as (app, pilot):
        await pilot.press("home", "end", "pageup")

        assert screen(app) == [""] * SIZE[1]
        assert app.wanted == []


async def test_another_size_wraps_anew_and_keeps_the_end() -> None:
    async with running([message(1, "word " * 60)]) as (app, pilot):
        await pilot.resize_terminal(20, 8)
        await pilot.pause()

        assert all(len(line) <= 20 for line in screen(app))
        assert screen(app)[-2].strip().startswith("word")
        assert app.transcript.follows


async def test_streaming_asks_for_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running([*history(30), message(31, "", state="streaming")]) as (app, pilot):
        layouts: list[object] = []
        original = app.screen._refresh_layout
        monkeypatch.setattr(
            app.screen, "_refresh_layout", lambda *a, **k: layouts.append(a) or original(*a, **k)
        )
        app.transcript.append(31, 0, "line\n\n" * 30 + "last")
        await painted(pilot, "last")

        assert layouts == []


async def test_no_timer_runs_while_nothing_streams() -> None:
    async with running([message(1, "", state="streaming")]) as (app, pilot):
        assert app.transcript._flush_timer is None
        app.transcript.append(1, 0, "text")
        assert app.transcript._flush_timer is not None
        await painted(pilot, "text")

        assert app.transcript._flush_timer is None


async def test_nothing_is_painted_while_the_terminal_is_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_behind = True
    asked: list[bool] = []

    def behind(_: object) -> bool:
        asked.append(is_behind)
        return is_behind

    monkeypatch.setattr(pacing, "is_terminal_behind", behind)
    async with running([message(1, "", state="streaming")]) as (app, pilot):
        app.transcript.append(1, 0, "text")
        while len(asked) < 3:
            await pilot.pause(0.01)
        assert screen(app)[1] == "  ▌"

        is_behind = False
        await painted(pilot, "text▌")


async def test_text_beneath_another_screen_is_painted_less_often() -> None:
    async with running([message(1, "", state="streaming")]) as (app, pilot):
        app.push_screen(ModalScreen())
        await pilot.pause()
        app.transcript.append(1, 0, "text")
        await painted(pilot, "text▌")

    assert pacing.pause_after(0.0, pacing.COVERED_PERIOD) > 3 * pacing.pause_after(0.0)


async def test_selected_text_is_copied_without_margins_and_wrapping() -> None:
    talk = [message(1, "a question", role="user"), message(2, "word " * 12 + "\n\n- item")]
    async with running(talk) as (app, pilot):
        await pilot.mouse_down(Transcript, offset=(4, 1))
        await pilot.hover(Transcript, offset=(7, 8))
        await pilot.mouse_up(Transcript, offset=(7, 8))
        await pilot.press("ctrl+c")

        assert app.clipboard == "question\n\nAssistant\n" + "word " * 11 + "word\n\n • item"


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
async def test_a_selection_is_seen_and_read(theme: str) -> None:
    async with running([message(1, "some words")]) as (app, pilot):
        app.theme = theme
        await pilot.pause()
        plain = strips(app)[1]
        await pilot.mouse_down(Transcript, offset=(2, 1))
        await pilot.hover(Transcript, offset=(5, 1))

        selected = strips(app)[1]

        assert selected.text == plain.text
        (marked,) = [segment for segment in selected if segment.text == "some"]
        assert marked.style is not None
        assert marked.style.color != marked.style.bgcolor
        assert marked.style.bgcolor != next(iter(plain)).style.bgcolor


@pytest.mark.parametrize(("clicks", "selected"), [(2, "words"), (3, "some words\n\nmore")])
async def test_two_clicks_select_a_word_and_three_a_message(clicks: int, selected: str) -> None:
    async with running([message(1, "some words\n\nmore"), message(2, "x")]) as (app, pilot):
        await pilot.click(Transcript, offset=(8, 1), times=clicks)

        assert app.screen.get_selected_text() == selected


async def test_everything_selected_is_the_conversation_as_written() -> None:
    async with running([message(1, "Hi", role="user"), message(2, "**Yes**")]) as (app, _):
        app.transcript.text_select_all()

        assert app.screen.get_selected_text() == "You\nHi\n\nAssistant\n**Yes**"


@pytest.mark.parametrize("theme", ["nord", "textual-light", "ansi-dark", "ansi-light"])
async def test_another_theme_repaints_in_its_colours(theme: str) -> None:
    async with running([message(1, "# Title\n\n`code` **bold**")]) as (app, pilot):
        before = strips(app)
        app.theme = theme
        await pilot.pause()
        after = strips(app)

        assert [strip.text for strip in after] == [strip.text for strip in before]
        assert [list(strip) for strip in after] != [list(strip) for strip in before]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (12, 4), (200, 60)])
async def test_any_size_is_painted_exactly(size: tuple[int, int]) -> None:
    talk = [
        *history(4),
        message(9, "```py\n" + "x" * 5_000 + "\n```\n\n|a|b|\n|-|-|\n|中|" + "y " * 99),
    ]
    async with running(talk, size=size) as (app, _):
        width = app.transcript.scrollable_content_region.width

        assert all(strip.cell_length == width for strip in strips(app))


async def test_every_strip_has_the_width_and_no_control_character() -> None:
    # One app for all examples: starting one costs more than painting a hundred messages.
    async with running([]) as (app, _):
        width = app.transcript.scrollable_content_region.width

        @settings(max_examples=40, deadline=None)
        @given(d.hostile)
        def paints_exactly(text: str) -> None:
            talk = [
                message(1, text, role="user"),
                message(2, text, state="streaming"),
                message(3, text, state="failed", error=text),
            ]
            app.transcript.show(talk, ScrollPosition(False, 1, 0), key=text)
            for row in range(app.transcript.virtual_size.height):
                strip = app.transcript.render_line(row)
                assert sum(segment.cell_length for segment in strip) == width
                assert all(char.isprintable() or char in ALLOWED for char in strip.text)

        paints_exactly()
