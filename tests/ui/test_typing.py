"""What the input can do: commands, completion, recall, files, prompts, roles, undo, vi."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.ui.scripted import ScriptedLink, make_app, message, notes, screen_text, tab
from textual import events
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.config.settings import Settings, TerminalSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.drafts import Draft
from gemma_chat.ui.input.chips import PasteChip
from gemma_chat.ui.input.paste_view import PasteView
from gemma_chat.ui.input.sent import SentMessages
from gemma_chat.ui.input.suggestions import Suggestions

NAMES = {" ": "space", "/": "slash", "@": "at", ".": "full_stop", "_": "underscore", "-": "minus"}


async def write(pilot: Pilot[None], text: str) -> None:
    """Type it, key by key, and let everything settle."""
    await pilot.press(*(NAMES.get(character, character) for character in text))
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def text_of(app: ChatApp) -> str:
    return app.window.composer.editor.text


def changed(link: ScriptedLink) -> SessionSettings:
    return link.asked(p.ChangeSettings)[-1].settings


# ---------------------------------------------------------------- commands


async def test_a_sampling_setting_is_changed_by_a_command_and_said() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1)])
        await write(pilot, "/temp 0.25")
        await pilot.press("enter")
        await settle(pilot)
        assert changed(link).sampling.temperature == 0.25
        assert link.asked(p.SendMessage) == []
        assert text_of(app) == ""
        assert "Temperature is 0.25 from now on." in notes(app)


WRONG_COMMANDS = {
    "/temp 99": "a number from 0 to 5",
    "/top_p warm": "top_p = 'warm' is not allowed",
    "/seed -1": "a whole number",
    "/nosuch": "There is no command /nosuch.",
    "/role nobody": "There is no role 'nobody'",
    "/preset nothing": "There is no preset",
    "/prompt nothing": "There is no prompt",
    "/theme nothing": "There is no theme",
    "/reset nothing": "There is no sampling setting",
    "/model nothing.gguf": "There is no model file",
    "/role import": "The file is missing",
    "/preset save a/b": "is not allowed",
}


async def test_what_is_wrong_with_a_command_is_said_and_it_stays() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        for command, words in WRONG_COMMANDS.items():
            app.window.composer.load(Draft(command))
            app.window.composer.send()
            await settle(pilot)
            assert any(words in note for note in notes(app)), command
            assert text_of(app) == command
        assert link.asked(p.SendMessage) == []


async def test_a_setting_without_a_value_is_told_and_none_empties_an_optional_one() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        for command in ("/seed", "/seed none"):
            app.window.composer.load(Draft(command))
            app.window.composer.send()
            await settle(pilot)
        assert any(note.startswith("Random seed is 1. The same seed") for note in notes(app))
        assert changed(link).sampling.random_seed is None


async def test_system_title_and_reset_change_the_tab() -> None:
    link = ScriptedLink()
    app = make_app(link)
    odd = SessionSettings(sampling=SamplingSettings(temperature=3.0, top_k=9))
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1, settings=odd)])
        await pilot.pause()
        for command in ("/system You are\na pirate.", "/title My tab", "/reset top-k", "/reset"):
            app.window.composer.load(Draft(command))
            app.window.composer.send()
            await settle(pilot)
        settings = [request.settings for request in link.asked(p.ChangeSettings)]
        assert settings[0].system_instruction == "You are\na pirate."
        assert (settings[1].sampling.top_k, settings[1].sampling.temperature) == (40, 3.0)
        assert settings[2].sampling.temperature == 0.7
        assert [request.title for request in link.asked(p.RenameSession)] == ["My tab"]


async def test_two_slashes_send_one_and_a_withdrawn_message_comes_back_with_both() -> None:
    link = ScriptedLink()
    link.refusals = {p.SendMessage: "The disk is full."}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "//usr")
        await pilot.press("enter")
        await settle(pilot)
        assert [request.text for request in link.asked(p.SendMessage)] == ["/usr"]
        assert text_of(app) == "//usr"


async def test_clear_opens_a_fresh_chat_with_the_same_settings_and_keeps_the_old_one() -> None:
    link = ScriptedLink()
    app = make_app(link)
    odd = SessionSettings(system_instruction="Arr")
    async with app.run_test() as pilot:
        link.connect([tab(1, settings=odd)])
        await write(pilot, "/clear")
        await pilot.press("escape", "enter")
        await settle(pilot)
        assert [request.settings for request in link.asked(p.OpenSession)] == [odd]
        assert [request.session for request in link.asked(p.CloseSession)] == [1]


async def test_a_command_can_load_another_model(tmp_path: Path) -> None:
    file = tmp_path / "other.gguf"
    file.touch()
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft(f"/model {file}"))
        app.window.composer.send()
        await settle(pilot)
        assert [request.path for request in link.asked(p.LoadModel)] == [str(file)]


# ---------------------------------------------------------------- completion


async def test_commands_are_completed_by_tab_and_run_by_enter() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await write(pilot, "/sys")
        assert "/system [TEXT]" in screen_text(app)
        await pilot.press("tab")
        await settle(pilot)
        assert text_of(app) == "/system "
        app.window.composer.load(Draft())
        await write(pilot, "/role pir")
        await pilot.press("enter")
        await settle(pilot)
        assert "pirate captain" in changed(link).system_instruction
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
        await settle(pilot)
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


# ---------------------------------------------------------------- prompts, roles, presets


async def test_a_prompt_is_chosen_and_its_blanks_filled_in() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(90, 30)) as pilot:
        link.connect([tab(1)])
        await write(pilot, "Guten Tag")
        await pilot.press("alt+p")
        await pilot.pause()
        await write(pilot, "translate")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        await write(pilot, "French")
        await pilot.press("enter")
        await settle(pilot)
        assert text_of(app).startswith("Translate the following text into French.")
        assert text_of(app).endswith("\n\nGuten Tag")


async def test_a_prompt_of_ones_own_without_blanks_comes_before_what_is_typed(
    tmp_path: Path,
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "brief.md").write_text("Be brief.")
    (tmp_path / "prompts" / "broken.toml").write_text("text = 3")
    link = ScriptedLink()
    app = make_app(link, folder=tmp_path)
    async with app.run_test(size=(90, 30)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        app.window.composer.load(Draft("/prompt brief"))
        app.window.composer.send()
        await settle(pilot)
        assert text_of(app) == "Be brief."
        assert any("broken.toml" in note for note in notes(app))


async def test_a_role_is_chosen_from_the_gallery_with_its_text_beside_it() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        await pilot.press("alt+r")
        await pilot.pause()
        await write(pilot, "socr")
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "as Socrates did" in shown
        await pilot.press("enter")
        await settle(pilot)
        assert "Socrates" in changed(link).system_instruction


async def test_a_role_and_a_preset_are_saved_shared_and_used(tmp_path: Path) -> None:
    link = ScriptedLink()
    app = make_app(link, folder=tmp_path)
    mine = SessionSettings(system_instruction="Mine.", sampling=SamplingSettings(top_k=3))
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect([tab(1, settings=mine)])
        await pilot.pause()
        for command in (
            "/role save own",
            "/preset save narrow",
            "/reset",
            "/preset narrow",
            "/role own",
        ):
            app.window.composer.load(Draft(command))
            app.window.composer.send()
            await settle(pilot)
        assert (tmp_path / "roles" / "own.toml").is_file()
        assert changed(link).sampling.top_k == 3
        assert changed(link).system_instruction == "Mine."
        assert any("own.toml; give that file to share it" in note for note in notes(app))


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
        assert isinstance(app.screen, CommandPalette)


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
