"""Themes: readable ones on board, strict reading of the person's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from gemma_chat.errors import SettingsError
from gemma_chat.ui.themes import (
    DEFAULT_THEME,
    LEAST_CONTRAST,
    MAX_FILE_BYTES,
    OWN_THEMES,
    contrast,
    cursor_ground,
    first_theme,
    inks,
    load_theme,
    load_themes,
)

MINIMAL = 'primary = "#7aa2d6"\nforeground = "#d5dae3"\nbackground = "#14171d"\n'
NOWHERE = Path("no-such-directory")
SHIPPED = load_themes(NOWHERE)


def test_the_five_themes_are_found_and_whole() -> None:
    assert SHIPPED.problems == ()
    assert sorted(theme.name for theme in SHIPPED.themes) == sorted(OWN_THEMES)
    assert {theme.dark for theme in SHIPPED.themes} == {True, False}


@pytest.mark.parametrize("theme", SHIPPED.themes, ids=lambda theme: theme.name)
def test_plain_text_of_our_themes_is_readable_on_every_ground(theme: Theme) -> None:
    colours = theme.to_color_system().generate()
    for ground in ("background", "surface", "panel"):
        found = contrast(Color.parse(colours["foreground"]), Color.parse(colours[ground]))
        assert found >= 7, ground


@pytest.mark.parametrize(
    "theme",
    [*SHIPPED.themes, *(theme for theme in BUILTIN_THEMES.values() if not theme.ansi)],
    ids=lambda theme: theme.name,
)
def test_coloured_text_is_readable_on_every_ground_of_any_theme(theme: Theme) -> None:
    colours = theme.to_color_system().generate()
    grounds = {name: Color.parse(colours[name]) for name in ("background", "surface", "panel")}
    grounds["cursor"] = cursor_ground(colours)
    for name, ink in inks(theme).items():
        for where, ground in grounds.items():
            found = contrast(Color.parse(ink), ground)
            assert found >= LEAST_CONTRAST - 0.05, (name, where)


def test_the_contrast_of_black_and_white_is_that_of_the_standard() -> None:
    assert contrast(Color.parse("white"), Color.parse("black")) == pytest.approx(21)
    assert contrast(Color.parse("#777777"), Color.parse("white")) == pytest.approx(4.48, abs=0.01)


def test_a_theme_of_the_person_replaces_ours_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "harbour.toml").write_text(MINIMAL.replace("#7aa2d6", "#ff0000"))
    (tmp_path / "mine.toml").write_text(MINIMAL)
    themes = {theme.name: theme for theme in load_themes(tmp_path).themes}
    assert themes["harbour"].primary == "#ff0000"
    assert "mine" in themes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("primary = ", "Invalid"),
        ('primary = "#7aa2d6"', "foreground is missing"),
        (MINIMAL + 'font = "Comic Sans"', "'font' is not a setting of a theme"),
        (MINIMAL + 'accent = "reddish"', "accent = 'reddish' is not a colour"),
        (MINIMAL + 'accent = "ansi_red"', "terminal colours have no mix"),
        (MINIMAL + "accent = 7", "accent = '7' is not allowed"),
        (MINIMAL + "dark = 1", "dark = '1' is not allowed"),
        (MINIMAL + "text_alpha = true", "text_alpha = 'True' is not allowed"),
        (MINIMAL + "luminosity_spread = 7.0", "from 0 to 1"),
        (MINIMAL + "luminosity_spread = nan", "from 0 to 1"),
        (MINIMAL + 'name = "../../etc"', "is not allowed: up to 40 small letters"),
        (MINIMAL + "name = 3", "is not allowed"),
        (MINIMAL + "[variables]\nx = 3", "variables.x is not a text"),
        (MINIMAL + '[variables]\nx = "red; display: none"', "is not a colour"),
        ("x" * (MAX_FILE_BYTES + 1), "larger than 64 kB"),
    ],
)
def test_a_wrong_theme_file_is_reported_with_its_reason_and_skipped(
    tmp_path: Path, content: str, reason: str
) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(content)
    shelf = load_themes(tmp_path)
    assert len(shelf.problems) == 1
    assert "broken.toml" in shelf.problems[0]
    assert reason in shelf.problems[0]
    assert len(shelf.themes) == len(OWN_THEMES)


def test_what_is_no_text_or_no_file_is_skipped_too(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.toml").mkdir()
    shelf = load_themes(tmp_path)
    assert len(shelf.problems) == 2


def test_a_theme_file_that_is_missing_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        load_theme(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("wanted", "environment", "chosen"),
    [
        ("harbour", {"TERM": "xterm-256color"}, "harbour"),
        ("", {"TERM": "xterm-256color"}, DEFAULT_THEME),
        ("../no/such", {"TERM": "xterm-256color"}, DEFAULT_THEME),
        ("", {"TERM": "linux"}, "ansi-dark"),
        ("", {"TERM": "xterm", "COLORTERM": "truecolor"}, DEFAULT_THEME),
        ("ansi-dark", {"TERM": "xterm-256color", "NO_COLOR": "1"}, DEFAULT_THEME),
        ("", {"TERM": "screen", "NO_COLOR": "1"}, DEFAULT_THEME),
        ("ansi-light", {"TERM": "linux"}, "ansi-light"),
    ],
)
def test_the_theme_suits_the_terminal(
    wanted: str, environment: dict[str, str], chosen: str
) -> None:
    assert first_theme(wanted, NOWHERE, environment).theme.name == chosen


def test_a_wanted_theme_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("primary = 7")
    first = first_theme("mine", tmp_path, {"TERM": "xterm-256color"})
    assert first.theme.name == DEFAULT_THEME
    assert "'mine'" in first.problem


def test_the_persons_own_file_is_the_first_theme_before_ours_of_the_same_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "harbour.toml").write_text(MINIMAL)
    assert first_theme("harbour", tmp_path, {"TERM": "xterm"}).theme.primary == "#7aa2d6"
