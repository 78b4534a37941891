"""Where files are kept, and who may have made the folders."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemma_chat.config import paths as paths_module
from gemma_chat.config.paths import HOME_VARIABLE, MAX_SOCKET_PATH_BYTES, Paths
from gemma_chat.errors import SettingsError


@pytest.fixture
def short_temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of this test's own, with a name as short as the system's."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: folder)
        yield Path(folder)


def below(home: Path, profile: str = "default") -> Paths:
    return Paths.default(profile, {HOME_VARIABLE: str(home)})


def every_place(paths: Paths) -> set[Path]:
    return {
        paths.settings_file,
        paths.themes_dir,
        paths.database,
        paths.models_dir,
        paths.log_file,
        paths.terminal_log_file,
        paths.states_dir,
        paths.socket,
        paths.lock_file,
    }


def test_one_variable_puts_everything_below_one_folder(tmp_path: Path) -> None:
    places = every_place(below(tmp_path))
    assert len(places) == 9
    assert all(place.is_relative_to(tmp_path) for place in places)
    assert below(tmp_path).settings_file == tmp_path / "config" / "settings.toml"
    assert below(tmp_path).database.name == "conversations.db"
    assert below(tmp_path).socket.name == "host.sock"


def test_a_relative_home_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert below(Path("here")).data_dir == tmp_path / "here" / "data"


def test_the_home_of_an_unknown_user_is_refused() -> None:
    with pytest.raises(SettingsError, match=f"{HOME_VARIABLE} names the home of an unknown user"):
        below(Path("~nobody-of-this-name/x"))


def test_without_the_variable_the_places_are_the_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths_module.sys, "platform", "linux")
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    for environment in ({}, {HOME_VARIABLE: ""}):
        paths = Paths.default(environment=environment)
        assert paths.settings_file == tmp_path / "CONFIG" / "gemma-chat" / "settings.toml"
        assert paths.data_dir == tmp_path / "DATA" / "gemma-chat"
        assert paths.state_dir == tmp_path / "STATE" / "gemma-chat"
        assert paths.cache_dir == tmp_path / "CACHE" / "gemma-chat"


def test_profiles_share_no_place(tmp_path: Path) -> None:
    default, work, play = (below(tmp_path, name) for name in ("default", "work", "play"))
    assert not every_place(default) & every_place(work)
    assert not every_place(work) & every_place(play)
    assert Paths.default("work", {HOME_VARIABLE: str(tmp_path)}) == work


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x", "-x", "a b", "ä", "x" * 33, "a\n", "a\0", "\x1b[2J"]
)
def test_a_profile_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"profile name .* is not allowed") as refused:
        below(tmp_path, name)
    assert str(refused.value).isprintable()


def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "home"
    below(home)
    assert not home.exists()


def test_the_folders_are_made_private_and_making_them_again_is_fine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    paths = below(home, "work")
    paths.make_folders()
    paths.make_folders()
    made = (home, *(one for one in home.rglob("*") if one.is_dir()))
    assert {paths.config_dir, paths.data_dir, paths.state_dir, paths.cache_dir} < set(made)
    for folder in (*made, paths.runtime_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    with pytest.raises(SettingsError, match="a file is in its place"):
        below(tmp_path).make_folders()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingsError, match="a file is in its place"):
        below(tmp_path / "file").make_folders()
    assert (tmp_path / "data").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SettingsError, match=r"config cannot be made \(Permission denied\)"):
        below(tmp_path).make_folders()


def test_a_home_with_a_long_name_gets_a_short_folder_for_its_socket(
    tmp_path: Path, short_temp: Path
) -> None:
    home = tmp_path / ("long" * 30)
    paths = below(home)
    assert paths.runtime_dir.parent == short_temp
    assert len(os.fsencode(paths.socket)) <= MAX_SOCKET_PATH_BYTES
    assert paths.runtime_dir == below(home).runtime_dir
    assert paths.runtime_dir != below(home, "work").runtime_dir
    assert paths.runtime_dir != below(tmp_path / ("other" * 30)).runtime_dir
    paths.make_folders()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(paths.socket))


def test_a_multibyte_name_is_measured_in_bytes(tmp_path: Path, short_temp: Path) -> None:
    assert below(tmp_path / ("ä" * 60)).runtime_dir.parent == short_temp


def test_no_short_folder_at_all_is_an_error_that_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("t" * 120)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(long))
    with pytest.raises(SettingsError, match="Set TMPDIR or GEMMA_CHAT_HOME"):
        below(tmp_path / ("long" * 30))


def test_without_a_login_session_the_socket_is_not_put_where_others_can_write(
    tmp_path: Path, short_temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(public))
    assert Paths.default(environment={}).runtime_dir.parent == short_temp


def test_the_folder_of_a_login_session_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths_module.sys, "platform", "linux")
    session = tmp_path / "s"
    session.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert Paths.default(environment={}).runtime_dir == session / "gemma-chat"


def test_a_runtime_folder_that_others_can_enter_is_made_private(tmp_path: Path) -> None:
    paths = below(tmp_path)
    paths.runtime_dir.mkdir(parents=True)
    paths.runtime_dir.chmod(0o777)
    paths.make_folders()
    assert stat.S_IMODE(paths.runtime_dir.stat().st_mode) == 0o700


def test_a_runtime_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = below(tmp_path)
    me = os.geteuid()
    monkeypatch.setattr(paths_module.os, "geteuid", lambda: me + 1)
    with pytest.raises(SettingsError, match="belongs to another user; it is not used"):
        paths.make_folders()


def test_a_link_in_the_place_of_the_runtime_folder_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    paths = below(tmp_path)
    paths.runtime_dir.symlink_to(elsewhere)
    with pytest.raises(SettingsError, match="is a link"):
        paths.make_folders()
