"""What the input can do: completion, recall, files, undo, pastes, vi, the mouse."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.ui.hands import changed, settle, text_of, write
from tests.ui.scripted import ScriptedLink, make_app, message, notes, screen_text, tab
from textual import events
from textual.widget import Widget

from gemma_chat.config.settings import Settings, TerminalSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.input.chips import PasteChip
from gemma_chat.ui.input.paste_view import PasteView
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.input.suggestions import Suggestions
from gemma_chat.ui.palette import Palette

NAMES = {" ": "space", "/": "slash", "@": "at", ".": "full_stop", "_": "underscore", "-": "minus"}


async def test_commands_are_completed_by_tab_and_run_by_enter() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "/sys")
        assert "/system [TEXT | none]" in screen_text(app)
        await pilot.press("tab")
        await settle(pilot)
        assert text_of(app) == "/system "
        app.window.composer.load(Draft())
        await write(pilot, "/role pir")
        await pilot.press("enter")
        await settle(pilot)
        assert "pirate captain" in changed(link).system_instruction
        assert text_of(app) == ""


async def test_enter_after_a_whole_path_carries_the_command_out(tmp_path: Path) -> None:
    file = tmp_path / "other.gguf"
    file.touch()
    (tmp_path / "other.gguf.part").touch()
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        app.window.composer.editor.insert(f"/model {tmp_path}/other")
        await write(pilot, ".gguf")
        assert app.query_one(Suggestions).display
        await pilot.press("enter")
        await settle(pilot)
        assert [request.path for request in link.asked(p.LoadModel)] == [str(file)]
        assert text_of(app) == ""


async def test_suggestions_are_walked_chosen_by_mouse_and_closed_by_escape() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "/role p")
        await pilot.press("down", "tab")
        await settle(pilot)
        assert text_of(app) == "/role programmer"
        app.window.composer.load(Draft())
        await write(pilot, "/role p")
        await pilot.click(Suggestions, offset=(3, 0))
        await settle(pilot)
        assert text_of(app) == "/role pirate"
        app.window.composer.load(Draft())
        await write(pilot, "/ro")
        await pilot.press("escape")
        await settle(pilot)
        assert not app.query_one(Suggestions).display
        await pilot.press("l")
        await settle(pilot)
        assert app.query_one(Suggestions).display


async def test_enter_in_one_bundle_with_letters_takes_what_fits_the_letters() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "/role ")
        for key in ("p", "i", "r", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        assert "pirate captain" in changed(link).system_instruction


async def test_a_list_that_is_made_while_one_types_on_shows_what_fits_the_text_by_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        composer, made = app.window.composer, asyncio.Event()
        mount = composer.mount

        async def mount_slowly(widget: Widget, *, before: Widget) -> None:
            await mount(widget, before=before)
            await made.wait()

        monkeypatch.setattr(composer, "mount", mount_slowly)
        await pilot.press("slash")
        await pilot.pause()
        await pilot.press("r", "o")
        await pilot.pause()
        made.set()
        await settle(pilot)
        await pilot.press("tab")
        await settle(pilot)
        assert text_of(app) == "/role "


@pytest.mark.parametrize("size", [(40, 10), (80, 24)])
async def test_suggestions_leave_room_for_the_rest(size: tuple[int, int]) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        link.connect([tab(1)])
        await write(pilot, "/")
        assert app.window.status_bar.region.bottom == size[1]
        assert app.window.tab_bar.region.y == 0
        assert app.query_one(Suggestions).region.height >= 3


async def test_a_file_is_completed_and_goes_into_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "sea side.md").write_text("# The sea\n```\nwide\n```\n")
    (tmp_path / "notes" / "raw.bin").write_bytes(b"\0\1")
    monkeypatch.chdir(tmp_path)
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "sum up @no")
        await pilot.press("tab")
        await settle(pilot)
        assert text_of(app) == "sum up @notes/"
        await write(pilot, "se")
        await pilot.press("enter")
        await settle(pilot)
        assert text_of(app) == "sum up `sea side.md` "
        assert "file sea side.md, 4 lines" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        (request,) = link.asked(p.SendMessage)
        assert "File `sea side.md`:\n\n````markdown\n# The sea" in request.text
        await write(pilot, "@notes/r")
        await pilot.press("enter")
        await settle(pilot)
        assert any("is not a text file" in note for note in notes(app))
        assert text_of(app) == "@notes/r"


# ---------------------------------------------------------------- recall


async def test_up_on_the_first_line_brings_back_what_begins_alike() -> None:
    link = ScriptedLink()
    sent = SentMessages()
    for text in ("sea one", "egg", "sea two\nlines"):
        sent.add(text)
    app = make_app(link, sent=sent)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "sea")
        await pilot.press("up")
        assert text_of(app) == "sea two\nlines"
        await pilot.press("up")
        await settle(pilot)
        assert text_of(app) == "sea one"
        await pilot.press("up")
        await settle(pilot)
        assert text_of(app) == "sea one"
        await pilot.press("down")
        await settle(pilot)
        assert text_of(app) == "sea two\nlines"
        await pilot.press("down")
        await settle(pilot)
        assert text_of(app) == "sea"


async def test_what_is_sent_can_be_recalled_and_searched() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        for text in ("first thing", "second thing"):
            await write(pilot, text)
            await pilot.press("enter")
            await settle(pilot)
        await pilot.press("ctrl+r")
        await pilot.pause()
        await write(pilot, "thing fir")
        assert "first thing" in "\n".join(s.text for s in app.screen._compositor.render_strips())
        await pilot.press("enter")
        await settle(pilot)
        assert text_of(app) == "first thing"


# ---------------------------------------------------------------- undo, pastes


async def test_undo_takes_back_a_recall_and_a_paste_as_a_whole() -> None:
    link = ScriptedLink()
    sent = SentMessages()
    sent.add("draft and more")
    app = make_app(link, sent=sent)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "draft")
        await pilot.press("up")
        await settle(pilot)
        await pilot.press("alt+z")
        assert text_of(app) == "draft"
        await pilot.press("ctrl+y")
        assert text_of(app) == "draft and more"
        app.window.composer.editor.post_message(events.Paste("\rpasted\r\nlines"))
        await settle(pilot)
        assert text_of(app).endswith("\npasted\nlines")
        await pilot.press("ctrl+underscore")
        assert text_of(app) == "draft and more"


async def test_keys_that_come_in_one_bundle_act_in_their_order() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        for key in ("a", "b", "ctrl+j", "c", "ctrl+a", "x", "ctrl+e", "y", "ctrl+w", "z"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        assert text_of(app) == "ab\nz"


async def test_each_enter_in_a_bundle_sends_what_was_typed_before_it_and_nothing_is_lost() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        for key in ("a", "enter", "b", "enter", "c"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        assert [request.text for request in link.asked(p.SendMessage)] == ["a", "b"]
        assert text_of(app) == "c"


async def test_what_is_typed_while_an_edit_is_sent_stands_in_the_input_afterwards() -> None:
    link = ScriptedLink()
    link.stored[1] = (message(1, "old"), message(2, "reply", role="assistant"))
    link.held = {p.EditMessage}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1, message_count=2)])
        await settle(pilot)
        await pilot.press("alt+up", "alt+up", "e", "enter", *"next")
        await pilot.pause()
        link.release()
        await settle(pilot)
        assert len(link.asked(p.EditMessage)) == 1
        assert text_of(app) == "next"


async def test_a_paste_is_shown_whole_and_can_be_put_into_the_text() -> None:
    link = ScriptedLink()
    app = make_app(link)
    paste = "\x1b[2Jline\n" * 3_000
    async with app.run_test(size=(90, 30)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft("see:", (paste,)))
        await settle(pilot)
        await pilot.click(PasteChip, offset=(4, 0))
        await pilot.pause()
        assert isinstance(app.screen, PasteView)
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "␛[2Jline" in shown
        await pilot.press("ctrl+e")
        await settle(pilot)
        assert text_of(app) == "see:" + paste
        assert app.window.composer.draft.pastes == ()


async def test_a_paste_too_large_for_the_text_stays_folded() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft("", ("x" * 300_000,)))
        await settle(pilot)
        app.query_one(PasteChip).focus()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("ctrl+e")
        await settle(pilot)
        assert any("300,000 characters" in note for note in notes(app))
        assert len(app.window.composer.draft.pastes) == 1


# ---------------------------------------------------------------- vi


def with_vi() -> Settings:
    return Settings(terminal=msgspec.structs.replace(TerminalSettings(), vi_keys=True))


async def test_vi_edits_the_input_and_shows_its_mode() -> None:
    link = ScriptedLink()
    app = make_app(link, settings=with_vi())
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "one two")
        assert "INSERT" in screen_text(app)
        await pilot.press("escape", "b", "c", "w")
        await write(pilot, "six")
        await pilot.press("escape")
        await settle(pilot)
        assert text_of(app) == "one six"
        assert "NORMAL" in screen_text(app)
        await pilot.press("u")
        assert text_of(app) == "one "
        await pilot.press("u", "ctrl+r")
        assert text_of(app) == "one "
        await pilot.press("0", "v", "e")
        await settle(pilot)
        assert "VISUAL" in screen_text(app)
        assert app.window.composer.editor.selected_text == "on"
        await pilot.press("d", "i", "x", "enter")
        await settle(pilot)
        assert [request.text for request in link.asked(p.SendMessage)] == ["x "]


async def test_escape_ends_vis_mode_before_it_ends_a_reply() -> None:
    link = ScriptedLink()
    app = make_app(link, settings=with_vi())
    async with app.run_test() as pilot:
        link.connect([tab(1)], lock=p.LockView(p.LockEntry(1, 1, "", phase="generating")))
        await write(pilot, "x")
        await pilot.press("escape")
        await settle(pilot)
        assert link.asked(p.StopTurn) == []
        await pilot.press("escape")
        await settle(pilot)
        assert len(link.asked(p.StopTurn)) == 1


async def test_vi_is_switched_by_a_command_and_the_choice_is_kept() -> None:
    kept: list[tuple[str, str]] = []
    link = ScriptedLink()
    app = make_app(link, keep_setting=lambda key, value: kept.append((key, value)))
    async with app.run_test(size=(40, 10)) as pilot:
        link.connect([tab(1)])
        await write(pilot, "/vi")
        await pilot.press("enter")
        await settle(pilot)
        assert kept == [("terminal.vi_keys", "true")]
        assert "INSERT" in screen_text(app)


# ---------------------------------------------------------------- mouse


async def test_the_words_on_the_lower_edge_are_buttons() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "hi")
        edge = app.window.composer.region.bottom - 1
        column = screen_text(app).splitlines()[edge].index("enter sends")
        await pilot.click(offset=(column + 2, edge))
        await settle(pilot)
        assert [request.text for request in link.asked(p.SendMessage)] == ["hi"]


async def test_a_click_on_the_status_bar_opens_everything_there_is() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(40, 10)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        await pilot.click(app.window.status_bar)
        await pilot.pause()
        assert isinstance(app.screen, Palette)


async def test_both_answers_about_a_paste_can_be_read_in_a_narrow_window() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(40, 10)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft("see:", ("line\n" * 3_000,)))
        await settle(pilot)
        await pilot.click(PasteChip, offset=(4, 0))
        await pilot.pause()
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "Put into the text  ctrl+e" in shown
        assert "Remove  ctrl+d" in shown
