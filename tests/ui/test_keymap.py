"""A person's own keys: laid over the table, and every fault told in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.ui.scripted import ScriptedLink, make_app, notes, screen_text, tab

from gemma_chat.cli.commands import cli
from gemma_chat.config.settings import Settings, read_settings, save_settings
from gemma_chat.errors import SettingsError
from gemma_chat.host import protocol as p
from gemma_chat.ui.actions import ACTIONS
from gemma_chat.ui.help import help_page
from gemma_chat.ui.keymap import NO_KEY, Keymap, normal_key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Ctrl+N", "ctrl+N"),
        ("ctrl+n", "ctrl+n"),
        ("control + Page Up", "ctrl+pageup"),
        ("shift+alt+x", "alt+shift+x"),
        ("F5", "f5"),
        ("esc", "escape"),
        ("ctrl+_", "ctrl+underscore"),
        ("ctrl+/", "ctrl+slash"),
        ("alt++", "alt+plus"),
    ],
)
def test_keys_are_read_as_people_write_them(written: str, key: str) -> None:
    assert normal_key(written) == key


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a", "needed for typing"),
        ("shift+a", "needed for typing"),
        ("space", "needed for typing"),
        ("up", "needed for typing"),
        ("strg+a", "'strg' is not a modifier"),
        ("ctrl+nokey", "not the name of a key"),
        ("", "not the name of a key"),
        ("ctrl+\x1b[2J", "not the name of a key"),
        ("x" * 10_000, "not the name of a key"),
    ],
)
def test_what_is_no_key_or_needed_for_typing_is_refused(written: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        normal_key(written)
    assert len(str(error.value)) < 150


def test_without_wishes_the_keymap_is_the_table() -> None:
    keymap = Keymap.of({})
    assert keymap.actions == ACTIONS
    assert (keymap.problems, keymap.overrides, keymap.new) == ((), {}, ())


def test_a_wish_replaces_the_keys_of_an_action() -> None:
    keymap = Keymap.of({"tab.new": ("ctrl+n", "f9")})
    assert keymap.action("tab.new").keys == ("ctrl+n", "f9")
    assert keymap.overrides == {"tab.new": "ctrl+n,f9"}
    assert keymap.problems == ()


def test_two_actions_can_change_their_keys_with_each_other() -> None:
    keymap = Keymap.of({"tab.new": ("ctrl+g",), "tab.jump": ("ctrl+t",)})
    assert keymap.problems == ()
    assert keymap.action("tab.jump").keys == ("ctrl+t",)


def test_a_default_key_that_is_given_away_is_told() -> None:
    keymap = Keymap.of({"tab.new": ("ctrl+g",)})
    assert keymap.action("tab.jump").keys == ()
    assert keymap.overrides["tab.jump"] == NO_KEY
    (problem,) = keymap.problems
    assert "ctrl+g belongs to tab.new now" in problem
    assert "no key any more" in problem


def test_of_two_actions_with_one_key_the_first_keeps_it() -> None:
    keymap = Keymap.of({"tab.new": ("f9",), "tab.jump": ("f9",)})
    assert keymap.action("tab.new").keys == ("f9",)
    assert keymap.action("tab.jump").keys == ("ctrl+g",)
    assert any("is given to tab.new and to tab.jump" in problem for problem in keymap.problems)


def test_an_unknown_action_and_an_unknown_key_are_told_and_the_rest_holds() -> None:
    keymap = Keymap.of({"tab.knew": ("f9",), "tab.jump": ("ctl+x",), "tab.new": ("f7",)})
    assert any("Did you mean tab.new?" in problem for problem in keymap.problems)
    assert any("'ctl' is not a modifier" in problem for problem in keymap.problems)
    assert keymap.action("tab.new").keys == ("f7",)
    assert keymap.action("tab.jump").keys == ("ctrl+g",)


def test_an_action_can_be_left_without_a_key() -> None:
    keymap = Keymap.of({"program.suspend": ()})
    assert keymap.action("program.suspend").keys == ()
    assert keymap.shown("program.suspend") == "ctrl+p: Suspend"
    nowhere = Keymap.of({"program.suspend": (), "program.palette": ()})
    assert nowhere.shown("program.suspend") == "Suspend"
    assert keymap.problems == ()


def settings_with(file: Path, text: str) -> Settings:
    file.write_text(text)
    return read_settings(file)


def test_both_spellings_of_the_section_are_read_and_saved_again(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    settings = settings_with(file, '[keys]\n"tab.new" = "f9"\ntab.jump = ["f7", "f8"]\nx.y = ""\n')
    assert settings.keys == (("tab.new", ("f9",)), ("tab.jump", ("f7", "f8")), ("x.y", ()))
    save_settings(file, settings)
    assert read_settings(file) == settings


@pytest.mark.parametrize(
    "text",
    [
        "keys = 3",
        "[keys]\n'tab.new' = 3",
        "[keys]\n'tab.new' = [1]",
        "[keys]\n'tab.new' = ['a','b','c','d','e','f','g','h','i','j']",
        "[keys]\na.b.c.d.e = 'f9'",
        "[keys]\n'" + "x" * 200 + "' = 'f9'",
        "[keys]\n" + "".join(f"a{n} = 'f9'\n" for n in range(300)),
    ],
)
def test_a_section_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="keys"):
        settings_with(tmp_path / "settings.toml", text)


def test_help_shows_the_keys_in_effect() -> None:
    keymap = Keymap.of({"tab.new": ("f9",)})
    page = help_page(80, keymap).plain
    assert "ctrl+t" not in page
    assert "f9" in page


async def test_the_program_obeys_the_keymap_shows_it_and_tells_its_faults() -> None:
    link = ScriptedLink()
    wishes = (
        ("tab.new", ("f9",)),
        ("message.send", ("ctrl+s",)),
        ("message.new_line", ("enter",)),
        ("host.retry", ("ctrl+k",)),
        ("no.such", ("f7",)),
    )
    app = make_app(link, settings=Settings(keys=wishes))
    async with app.run_test() as pilot:
        link.connect([tab(1)])
        await pilot.pause()
        assert any("'no.such' is not an action" in note for note in notes(app))
        assert "ctrl+s sends · enter new line" in screen_text(app)
        await pilot.press("ctrl+t")
        assert link.asked(p.OpenSession) == []
        await pilot.press("f9")
        await pilot.pause()
        assert len(link.asked(p.OpenSession)) == 1
        await pilot.press("a", "enter", "b", "ctrl+s")
        await pilot.pause()
        assert [request.text for request in link.asked(p.SendMessage)] == ["a\nb"]
        await pilot.press("ctrl+k")
        assert link.retries == 1


def test_the_shell_lists_keys_and_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMMA_CHAT_HOME", str(tmp_path))
    config = tmp_path / "config"
    config.mkdir()
    (config / "settings.toml").write_text('[keys]\n"tab.new" = "f9"\n')
    good = CliRunner().invoke(cli, ["config", "keys"])
    assert good.exit_code == 0
    assert "tab.new\tf9\tNew tab" in good.output
    (config / "settings.toml").write_text('[keys]\n"tab.knew" = "f9"\n')
    wrong = CliRunner().invoke(cli, ["config", "keys"])
    assert wrong.exit_code == 1
    assert "Did you mean tab.new?" in wrong.output
