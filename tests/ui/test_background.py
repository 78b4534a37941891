"""The terminal's background: asked, read among the keys, and answered by a theme."""

from __future__ import annotations

import pytest
from tests.ui.scripted import NOWHERE, ScriptedLink, make_app
from textual import events
from textual.message import Message

from gemma_chat.ui.background import (
    Background,
    begun_answer,
    named_background,
    question_for,
    taken_out,
)
from gemma_chat.ui.terminal_input import BackgroundTold, BulkPasteParser
from gemma_chat.ui.themes import choose, first_theme

WHITE = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\"


@pytest.mark.parametrize(
    ("answer", "background"),
    [
        (WHITE, "light"),
        ("\x1b]11;rgb:ffff/ffff/dddd\x07", "light"),
        ("\x1b]11;rgba:ff/ff/ff/ff\x07", "light"),
        ("\x1b]11;rgb:0000/0000/0000\x1b\\", "dark"),
        ("\x1b]11;rgb:00/2b/36\x07", "dark"),
        ("\x1b]11;rgb:zz/2b/36\x07", "unknown"),
        ("\x1b]11;?\x07", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_answer_is_judged_by_how_bright_it_is(answer: str, background: Background) -> None:
    assert taken_out(f"ab{answer}c")[1] == background


def test_what_was_typed_around_the_answer_stays() -> None:
    assert taken_out(f"ab{WHITE}c") == ("abc", "light")


def test_an_answer_that_is_cut_is_waited_for_and_a_key_is_not() -> None:
    for cut in range(3, len(WHITE)):
        assert begun_answer("ab" + WHITE[:cut]) == 2
    for keys in ("ab", "ab\x1b", "\x1b]", "\x1b]12;rgb:ff", WHITE, "\x1b]11;" + "f" * 400):
        assert begun_answer(keys) == len(keys)


@pytest.mark.parametrize(
    ("value", "background"),
    [
        ("0;15", "light"),
        ("15;0", "dark"),
        ("0;default;7", "light"),
        ("x", "unknown"),
        ("", "unknown"),
    ],
)
def test_colorfgbg_stands_in(value: str, background: Background) -> None:
    assert named_background({"COLORFGBG": value}) == background


@pytest.mark.parametrize("term", ["linux", "vt100", "ansi"])
def test_terminals_that_would_draw_the_question_are_not_asked(term: str) -> None:
    assert question_for({"TERM": term}) == ""
    assert question_for({"TERM": "xterm-256color"})


def test_a_light_background_gets_a_light_theme_unless_one_was_chosen() -> None:
    assert choose("", {}, "light") == "gemma-light"
    assert choose("", {}, "dark") == choose("", {}, "unknown") == "gemma-dark"
    assert choose("", {"COLORFGBG": "0;15"}) == "gemma-light"
    assert choose("", {"TERM": "xterm"}, "light") == "ansi-light"
    assert choose("harbour", {}, "light") == "harbour"


def read(*chunks: str) -> list[str]:
    parser = BulkPasteParser()
    seen: list[Message] = [event for chunk in chunks for event in parser.feed(chunk)]
    return [_name(event) for event in seen]


def _name(event: Message) -> str:
    match event:
        case BackgroundTold():
            return event.background
        case events.Paste():
            return f"paste:{event.text}"
        case events.Key():
            return event.key
    return type(event).__name__


@pytest.mark.parametrize("cut", [0, *range(3, len(WHITE))])
def test_an_answer_among_keys_types_nothing_wherever_a_read_is_cut(cut: int) -> None:
    assert sorted(read("a" + WHITE[:cut], WHITE[cut:] + "b")) == ["a", "b", "light"]


def test_an_answer_within_a_paste_is_text() -> None:
    assert read(f"\x1b[200~{WHITE}\x1b[201~") == [f"paste:{WHITE}"]


async def test_an_answer_that_comes_late_changes_the_theme_that_nobody_chose() -> None:
    app = make_app(ScriptedLink())
    async with app.run_test() as pilot:
        app.post_message(BackgroundTold("light"))
        await pilot.pause()
        assert app.theme == "gemma-dark"
    link = ScriptedLink()
    app = make_app(link, theme_for=lambda told: first_theme("", NOWHERE, {}, told).theme)
    async with app.run_test() as pilot:
        app.post_message(BackgroundTold("light"))
        await pilot.pause()
        assert app.theme == "gemma-light"


@pytest.mark.parametrize("term", ["xterm", "xterm-16color", "alacritty", "screen", "vt100"])
def test_the_terminals_own_colours_are_taken_where_there_may_be_only_sixteen(term: str) -> None:
    assert choose("", {"TERM": term}) == "ansi-dark"
    assert choose("", {"TERM": term, "COLORTERM": "truecolor"}) == "gemma-dark"
    assert choose("", {"TERM": f"{term}-256color"}) == "gemma-dark"
