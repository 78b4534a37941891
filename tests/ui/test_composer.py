"""The input box: keys of every terminal, large pastes, growth, drafts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.ui.scripted import SIZES, ScriptedLink, make_app, notes, screen_text, tab
from textual import events
from textual._xterm_parser import XTermParser

from gemma_chat.host import protocol as p
from gemma_chat.ui import keys
from gemma_chat.ui.composer import PasteChip
from gemma_chat.ui.drafts import FOLD_CHARACTERS, Draft


def keys_of(sequence: str) -> Iterator[str]:
    """The names of the keys that Textual reads from what a terminal sends."""
    parser = XTermParser()
    for token in (*parser.feed(sequence), *parser.feed("")):
        if isinstance(token, events.Key):
            yield token.key


@pytest.mark.parametrize(
    ("sequence", "key"),
    [
        ("\n", "ctrl+j"),
        ("\x1b\r", "alt+enter"),
        ("\x1b1", "alt+1"),
        ("\x1b9", "alt+9"),
        ("\x1bw", "alt+w"),
        ("\x1bu", "alt+u"),
        ("\x1b[13;2u", "shift+enter"),
        ("\x1b[13;5u", "ctrl+enter"),
        ("\x1b[27;2;13~", "shift+\r"),
        ("\x1b[5;5~", "ctrl+pageup"),
        ("\x1b[6;5~", "ctrl+pagedown"),
        ("\x1b[1;3D", "alt+left"),
    ],
)
def test_what_terminals_send_is_read_as_the_key_it_is(sequence: str, key: str) -> None:
    keys.teach_textual()
    keys.teach_textual()
    assert list(keys_of(sequence)) == [key]


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter", "alt+enter", "ctrl+enter", "shift+\r"])
async def test_every_spelling_of_a_new_line_makes_one_and_sends_nothing(key: str) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        await pilot.press("a", key, "b")
        assert app.window.composer.editor.text == "a\nb"
        assert link.asked(p.SendMessage) == []


async def test_a_backslash_before_enter_makes_a_new_line() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        await pilot.press("a", "backslash", "enter", "b")
        assert app.window.composer.editor.text == "a\nb"
        assert link.asked(p.SendMessage) == []


@pytest.mark.parametrize("size", SIZES)
async def test_the_input_grows_to_ten_lines_and_leaves_room_for_the_rest(
    size: tuple[int, int],
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect([tab(1, draft="\n".join("line" for _ in range(40)))])
        await pilot.pause()
        height = app.window.composer.editor.size.height
        assert height == (3 if size[1] < 16 else 10)
        assert app.window.status_bar.region.bottom == size[1]
        assert app.window.tab_bar.region.y == 0


@pytest.mark.parametrize("lines", [9, 10, 11, 30])
async def test_the_line_that_is_begun_is_on_the_screen(lines: int) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1, draft="\n".join("line" for _ in range(lines)))])
        await pilot.pause()
        editor = app.window.composer.editor
        editor.move_cursor(editor.document.end)
        for _ in range(3):
            await pilot.press("ctrl+j")
            await pilot.pause()
            row, _ = editor.cursor_location
            assert editor.scroll_offset.y <= row < editor.scroll_offset.y + editor.size.height
            assert editor.size.height == min(10, row + 1)


async def test_a_large_paste_becomes_a_chip_and_is_sent_in_full() -> None:
    link = ScriptedLink()
    app = make_app(link)
    paste = "0123456789\n" * 100_000
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        await pilot.press("s", "u", "m")
        app.window.composer.editor.post_message(events.Paste(paste))
        await pilot.pause()
        assert app.window.composer.editor.text == "sum"
        assert "pasted 100,001 lines" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert [request.text for request in link.asked(p.SendMessage)] == ["sum\n\n" + paste]
        assert not app.query(PasteChip)


async def test_a_small_paste_is_typed_once() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.editor.post_message(events.Paste("two\nlines"))
        await pilot.pause()
        assert app.window.composer.editor.text == "two\nlines"


async def test_a_chip_goes_by_click_and_by_backspace() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft("", ("a" * 30_000, "b" * 30_000)))
        await pilot.pause()
        chip = app.query(PasteChip).first()
        await pilot.click(chip, offset=(str(chip.render()).index("✕") + 1, 0))
        await pilot.pause()
        assert app.window.composer.draft.pastes == ("b" * 30_000,)
        await pilot.press("backspace")
        await pilot.pause()
        assert app.window.composer.draft.empty


async def test_a_message_beyond_the_limit_stays_and_its_length_is_told() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft("", ("x" * 4_000_001,)))
        await pilot.press("enter")
        await pilot.pause()
        assert link.asked(p.SendMessage) == []
        assert any("4,000,001" in note for note in notes(app))


async def test_a_draft_too_large_for_the_editor_comes_back_folded() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1, draft="y" * (FOLD_CHARACTERS + 1))])
        await pilot.pause()
        assert app.window.composer.editor.text == ""
        assert "pasted 20,001 characters" in screen_text(app)


async def test_ctrl_c_does_not_quit() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        await pilot.press("a", "ctrl+c")
        await pilot.pause()
        assert app.is_running
        assert app.window.composer.editor.text == "a"
