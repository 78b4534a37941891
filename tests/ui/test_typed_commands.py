"""Slash commands: settings, prompts, roles and presets, typed in the input."""

from __future__ import annotations

from pathlib import Path

from tests.ui.hands import changed, settle, text_of, write
from tests.ui.scripted import ScriptedLink, make_app, notes, tab
from textual.widgets import Input

from gemma_chat.config.sampling import SamplingSettings, SessionSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.drafts import Draft

NAMES = {" ": "space", "/": "slash", "@": "at", ".": "full_stop", "_": "underscore", "-": "minus"}


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
