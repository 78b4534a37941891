"""The shell command, run as a person runs it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gemma_chat import __version__
from gemma_chat.cli.commands import cli
from gemma_chat.cli.main import main
from gemma_chat.config.paths import Paths
from gemma_chat.ui.models.wanted import WantedModel
from gemma_chat.ui.start import TerminalOptions


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when the terminal program is started."""

    def started(*_: object) -> int:
        raise AssertionError("the screen was taken over")

    monkeypatch.setattr("gemma_chat.cli.terminal_command.run_terminal", started)


def shell(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, prog_name="gemma-chat")


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the console script itself."""
    monkeypatch.setattr("sys.argv", ["gemma-chat", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 1 if code else 0


def test_version_and_help() -> None:
    assert shell("--version").output == f"gemma-chat {__version__}\n"
    assert "host" in shell("--help").output


@pytest.mark.usefixtures("no_screen")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.gguf", None, "no model file"),
        ("notes.gguf", b"Dear diary, today I was renamed.", "text"),
        ("cut.gguf", b"GGUF\x03\x00\x00\x00", "cut.gguf"),
        ("empty.gguf", b"", "empty"),
    ],
)
def test_a_wrong_model_is_a_sentence_before_the_screen_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    said: str,
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert run_main(monkeypatch, "--model", str(path)) == 1
    error = capsys.readouterr().err
    assert said in error
    assert name in error
    assert "Traceback" not in error


def test_the_terminal_knows_what_the_command_line_names(
    smollm2_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[WantedModel | None] = []

    def keep(options: TerminalOptions) -> int:
        told.append(options.wanted)
        return 0

    monkeypatch.setattr("gemma_chat.cli.terminal_command.run_terminal", keep)
    run_main(monkeypatch, "--model", str(smollm2_path))
    run_main(monkeypatch, "--server", "http://localhost:8080", "--server-model", "m")
    run_main(monkeypatch)
    assert told == [
        WantedModel(str(smollm2_path)),
        WantedModel(server="http://localhost:8080", server_model="m"),
        None,
    ]


@pytest.mark.usefixtures("no_screen")
def test_a_damaged_settings_file_is_named_and_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths.default()
    paths.make_folders()
    paths.settings_file.write_text("[terminal\ntheme = 3")
    assert run_main(monkeypatch) == 1
    assert str(paths.settings_file) in capsys.readouterr().err
    assert paths.settings_file.read_text() == "[terminal\ntheme = 3"


@pytest.mark.usefixtures("no_screen")
def test_a_file_that_is_not_a_database_is_named_and_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths.default()
    paths.make_folders()
    paths.database.write_text("my shopping list")
    assert run_main(monkeypatch) == 1
    assert str(paths.database) in capsys.readouterr().err
    assert paths.database.read_text() == "my shopping list"


@pytest.mark.usefixtures("no_screen")
def test_a_data_folder_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths.default()
    paths.make_folders()

    # The tests may run as root, whom no mode of a folder stops.
    monkeypatch.setattr("os.access", lambda path, mode: path != paths.data_dir)
    assert run_main(monkeypatch) == 1
    assert str(paths.data_dir) in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "", "a b", "x" * 99])
def test_a_profile_name_that_cannot_be_a_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run_main(monkeypatch, "--profile", name, "config", "path") == 1
    assert "profile" in capsys.readouterr().err


# ---------------------------------------------------------------- config


def test_config_path_prints_where_the_file_is() -> None:
    assert shell("config", "path").output.strip() == str(Paths.default().settings_file)


def test_config_show_explains_every_setting() -> None:
    shown = shell("config", "show").output
    assert "keep_alive" in shown
    assert "Allowed:" in shown


def test_config_set_is_seen_by_config_show() -> None:
    assert shell("config", "set", "host.keep_alive", "12").exit_code == 0
    assert "keep_alive = 12" in shell("config", "show").output


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("host.keep_alife", "1", "keep_alive"),
        ("host.keep_alive", "often", "a number"),
        ("terminal.theme", "nope", "The themes are: gemma-dark, gemma-high-contrast, gemma-light"),
        ("server.url", "localhost", "Write it as http://localhost:8080"),
        ("server.api_key_env", "sk-1234", "the name of an environment variable"),
        ("keys.tab.new", "ctrl+g", "`gemma-chat config edit` opens the file"),
    ],
)
def test_config_set_refuses_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str,
    value: str,
    said: str,
) -> None:
    assert run_main(monkeypatch, "config", "set", key, value) == 1
    assert said in capsys.readouterr().err
    assert not Paths.default().settings_file.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host.keep_alive", "12.0"),
        ("model.memory_map", "false"),
        ("defaults.random_seed", "7"),
        ("defaults.stop", "END\nSTOP"),
        ("model.path", "/models/a file.gguf"),
        ("presets.calm.temperature", "0.2"),
    ],
)
def test_config_get_prints_a_setting_as_config_set_takes_it(key: str, value: str) -> None:
    assert shell("config", "set", key, value).exit_code == 0
    assert shell("config", "get", key).output == f"{value}\n"


def test_a_theme_file_of_ones_own_can_be_set_once_it_is_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths.default()
    paths.themes_dir.mkdir(parents=True)
    file = paths.themes_dir / "mine.toml"
    file.write_text('primary = "red"')
    assert run_main(monkeypatch, "config", "set", "terminal.theme", "mine") == 1
    assert "mine.toml is skipped: foreground is missing" in capsys.readouterr().err
    file.write_text('primary = "red"\nforeground = "#eee"\nbackground = "#111"')
    for name in ("mine", "parchment", "nord", ""):
        assert run_main(monkeypatch, "config", "set", "terminal.theme", name) == 0


@pytest.mark.parametrize("key", ["model.path", "model.projector", "presets.calm.lora_path"])
def test_config_set_keeps_the_whole_path_of_a_file_and_says_that_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = shell("config", "set", key, "later.gguf")
    assert done.exit_code == 0
    assert str(tmp_path / "later.gguf") in done.stderr
    assert shell("config", "get", key).output == f"{tmp_path / 'later.gguf'}\n"


def test_config_get_prints_the_default_of_what_was_never_set() -> None:
    assert shell("config", "get", "terminal.notify").output == "bell\n"
    assert shell("config", "get", "defaults.random_seed").output == "\n"


@pytest.mark.parametrize(
    ("key", "said"),
    [("host.keep_alife", "keep_alive"), ("presets.nobody.temperature", "nobody"), ("", "setting")],
)
def test_config_get_names_what_there_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str, said: str
) -> None:
    assert run_main(monkeypatch, "config", "get", key) == 1
    assert said in capsys.readouterr().err


def editor(tmp_path: Path, script: str) -> str:
    """An "editor" that runs a shell script on the file, named in `$1`."""
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_config_edit_takes_over_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, 'printf "[host]\\nkeep_alive = 7\\n" > "$1"'))
    assert shell("config", "edit").exit_code == 0
    assert Paths.default().settings_file.read_text() == "[host]\nkeep_alive = 7\n"


def test_config_edit_says_which_names_mean_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = '[terminal]\\ntheme = "nope"\\n[keys]\\n"tab.nwe" = "ctrl+g"\\n'
    monkeypatch.setenv("VISUAL", editor(tmp_path, f"printf '{written}' > \"$1\""))
    done = shell("config", "edit")
    assert done.exit_code == 0
    assert "There is no theme 'nope'" in done.stderr
    assert "Did you mean tab.new?" in done.stderr


def test_config_edit_takes_over_nothing_that_is_wrong_and_keeps_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, 'echo "host = 3" > "$1"'))
    assert run_main(monkeypatch, "config", "edit") == 1
    file = Paths.default().settings_file
    assert not file.exists()
    [kept] = file.parent.glob("settings-*.toml")
    assert kept.read_text() == "host = 3\n"
    assert str(kept) in capsys.readouterr().err


def test_config_edit_without_a_change_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor(tmp_path, "true"))
    assert "Nothing was changed" in shell("config", "edit").output
    assert list(Paths.default().config_dir.glob("*.toml")) == []


def test_config_edit_writes_where_a_link_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = tmp_path / "managed.toml"
    managed.write_text("[host]\nkeep_alive = 3\n")
    paths = Paths.default()
    paths.make_folders()
    paths.settings_file.symlink_to(managed)
    monkeypatch.setenv("VISUAL", editor(tmp_path, 'printf "[host]\\nkeep_alive = 7\\n" > "$1"'))
    assert shell("config", "edit").exit_code == 0
    assert paths.settings_file.is_symlink()
    assert managed.read_text() == "[host]\nkeep_alive = 7\n"


def test_settings_that_are_no_text_are_not_given_to_an_editor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = Paths.default()
    paths.make_folders()
    paths.settings_file.write_bytes(b"\xff\xfe")
    assert run_main(monkeypatch, "config", "edit") == 1
    assert f"{paths.settings_file} is not UTF-8" in capsys.readouterr().err
    assert paths.settings_file.read_bytes() == b"\xff\xfe"


def test_an_editor_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISUAL", os.fspath(Path("/nowhere/ed")))
    assert run_main(monkeypatch, "config", "edit") == 1
    assert "/nowhere/ed" in capsys.readouterr().err


# ---------------------------------------------------------------- host


def test_without_a_host_its_status_says_so_with_an_exit_code_of_its_own() -> None:
    status = shell("host", "status")
    assert (status.exit_code, status.output) == (3, "No host is running.\n")
    assert json.loads(shell("host", "status", "--json").output) == {"running": False}
    assert shell("host", "stop").exit_code == 3


@pytest.mark.usefixtures("no_screen")
def test_attach_starts_no_host_and_names_what_does() -> None:
    ended = shell("attach")
    assert ended.exit_code == 3
    assert ended.output == "No host is running. `gemma-chat` starts one.\n"
    named = shell("--profile", "work", "attach")
    assert "`gemma-chat --profile work` starts one" in named.output
    assert not Paths.default().data_dir.exists()


def test_the_status_of_all_profiles_names_each_that_was_used() -> None:
    for profile in ("default", "work"):
        Paths.default(profile).make_folders()
    status = shell("host", "status", "--all")
    assert (status.exit_code, status.output) == (3, "default\tno host\nwork\tno host\n")
    lines = shell("host", "status", "--all", "--json").output.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"profile": "default", "running": False},
        {"profile": "work", "running": False},
    ]


def test_the_log_is_shown_without_its_control_characters() -> None:
    paths = Paths.default()
    paths.make_folders()
    paths.log_file.write_bytes(b"first\nloaded \x1b[2J\x9b31m evil\xff.gguf\nlast\n")
    assert shell("host", "log").output == (
        "first\nloaded \\x1b[2J\N{REPLACEMENT CHARACTER}31m "
        "evil\N{REPLACEMENT CHARACTER}.gguf\nlast\n"
    )
    assert shell("host", "log", "-n", "1").output == "last\n"
    paths.log_file.write_bytes(b"")
    assert shell("host", "log").output == "\n"


def test_profiles_that_exist_complete_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    for profile in ("work", "weekend"):
        Paths.default(profile).make_folders()
    monkeypatch.setenv("_GEMMA_CHAT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "gemma-chat --profile we")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert shell().output == "plain,weekend\n"


def test_a_log_that_is_not_there_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "host", "log") == 1
    assert "no host has run" in capsys.readouterr().err
