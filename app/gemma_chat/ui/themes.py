"""Themes: five of the program's own, the person's, and the colours made readable in all of them.

A theme is a TOML file with the fields of Textual's `Theme`. Reading is strict; a file that is
wrong is reported with its reason and skipped, it never keeps the program from starting.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.color import BLACK, WHITE, Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

import gemma_chat
from gemma_chat.errors import SettingsError
from gemma_chat.quantities import KB, byte_size
from gemma_chat.ui.background import Background, named_background

OWN_THEMES = ("gemma-dark", "gemma-light", "gemma-high-contrast", "harbour", "parchment")
DEFAULT_THEME = "gemma-dark"
DEFAULT_LIGHT_THEME = "gemma-light"
SIXTEEN_COLOURS_THEME = "ansi-dark"
SIXTEEN_COLOURS_LIGHT_THEME = "ansi-light"

MAX_FILE_BYTES = 64 * KB
LEAST_CONTRAST = 4.5
"""Between text and the ground below it, by the formula of WCAG 2."""

CURSOR_SHARE = 0.2
"""Of the theme's first colour in the ground of what has the cursor, or is selected."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_COLOURS = frozenset(
    {
        "primary",
        "secondary",
        "warning",
        "error",
        "success",
        "accent",
        "foreground",
        "background",
        "surface",
        "panel",
        "boost",
    }
)
_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(_COLOURS, (str,)),
    "dark": (bool,),
    "luminosity_spread": (int, float),
    "text_alpha": (int, float),
    "variables": (dict,),
}


@dataclasses.dataclass(frozen=True)
class Shelf:
    """The themes that were found, the later of one name, and what is wrong with the others."""

    themes: tuple[Theme, ...]
    problems: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FirstTheme:
    """The theme to start with, and a sentence when it is not the wanted one."""

    theme: Theme
    problem: str = ""


def load_themes(own_dir: Path) -> Shelf:
    """The program's themes, and those in the person's directory, which replace them by name."""
    themes: dict[str, Theme] = {}
    problems: list[str] = []
    for directory in (_shipped_dir(), own_dir):
        for file in _theme_files(directory):
            try:
                theme = load_theme(file)
            except SettingsError as error:
                problems.append(str(error))
            else:
                themes[theme.name] = theme
    return Shelf(tuple(themes.values()), tuple(problems))


def theme_names(shelf: Shelf) -> tuple[str, ...]:
    """The names of all themes that can be chosen: those of `shelf` first, then Textual's."""
    return tuple(dict.fromkeys((*(theme.name for theme in shelf.themes), *sorted(BUILTIN_THEMES))))


def first_theme(
    wanted: str,
    own_dir: Path,
    environment: Mapping[str, str],
    background: Background = "unknown",
) -> FirstTheme:
    """The theme to start with, read alone: the others are not needed for the first paint."""
    problem = ""
    for name in dict.fromkeys((choose(wanted, environment, background), DEFAULT_THEME)):
        for directory in (own_dir, _shipped_dir()):
            file = directory / f"{name}.toml"
            with contextlib.suppress(SettingsError):
                if _NAME.fullmatch(name) and file.is_file():
                    return FirstTheme(load_theme(file), problem)
        if name in BUILTIN_THEMES:
            return FirstTheme(BUILTIN_THEMES[name], problem)
        problem = f"There is no theme {name[:60]!r} that can be used; the palette lists all others."
    return FirstTheme(BUILTIN_THEMES["textual-dark"], problem)


def load_theme(file: Path) -> Theme:
    """Read one theme file; raises `SettingsError` that names the file and the reason."""
    try:
        values = tomllib.loads(_read(file))
        return _theme(file.stem, values)
    except SettingsError as error:
        raise SettingsError(f"The theme file {file.name} is skipped: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The theme file {file.name} is skipped: {error}.") from None
    except OSError as error:
        raise SettingsError(
            f"The theme file {file.name} cannot be read ({error.strerror or error})."
        ) from None


def choose(wanted: str, environment: Mapping[str, str], background: Background = "unknown") -> str:
    """The name of the theme to start with: the wanted one, if the terminal can show it.

    Where none is wanted it is light on a light background.

    With `NO_COLOR`, and 256 colours, Textual's ANSI themes are black on black: a theme of ours
    takes their place, which comes out in readable greys.
    """
    monochrome = "NO_COLOR" in environment
    if wanted and not (monochrome and wanted.startswith("ansi-")):
        return wanted
    few = _has_sixteen_colours(environment) and not monochrome
    if background == "unknown":
        background = named_background(environment)
    if background == "light":
        return SIXTEEN_COLOURS_LIGHT_THEME if few else DEFAULT_LIGHT_THEME
    return SIXTEEN_COLOURS_THEME if few else DEFAULT_THEME


def _has_sixteen_colours(environment: Mapping[str, str]) -> bool:
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return False
    # rich, which draws the colours, knows more of them by the end of the name alone.
    term = environment.get("TERM", "")
    return bool(term) and not term.endswith(("-256color", "-kitty"))


# ---------------------------------------------------------------- files


def _shipped_dir() -> Path:
    # Not by `importlib.resources`, which the first paint would wait for.
    package = Path(gemma_chat.__file__).resolve()
    packaged = package.parent / "themes"
    if packaged.is_dir():
        return packaged
    # An editable install: the themes stand beside `app/`.
    return package.parents[2] / "themes"


def _theme_files(directory: Path) -> list[Path]:
    try:
        return sorted(directory.glob("*.toml"))
    except OSError:
        return []


def _read(file: Path) -> str:
    if not file.is_file():
        raise SettingsError("it is not a file.")
    with file.open("rb") as opened:
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise SettingsError(f"it is larger than {byte_size(MAX_FILE_BYTES)}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError("it is not UTF-8 text.") from None


def _theme(name: str, values: dict[str, Any]) -> Theme:
    name = values.pop("name", name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingsError(
            f"name = {str(name)[:60]!r} is not allowed: up to 40 small letters, digits, - and _."
        )
    unknown = sorted(set(values) - set(_KINDS))
    if unknown:
        raise SettingsError(
            f"{unknown[0][:60]!r} is not a setting of a theme; these are: {', '.join(_KINDS)}."
        )
    for needed in ("primary", "foreground", "background"):
        if needed not in values:
            raise SettingsError(f"{needed} is missing.")
    for key, value in values.items():
        _check(key, value)
    theme = Theme(name=name, **values)
    try:
        # What is wrong is found now rather than when the person chooses the theme.
        theme.to_color_system().generate()
    except Exception as error:
        raise SettingsError(f"it makes no colours ({error}).") from error
    return theme


def _check(key: str, value: object) -> None:
    kinds = _KINDS[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise SettingsError(f"{key} = {str(value)[:60]!r} is not allowed: a {kinds[-1].__name__}.")
    if key in _COLOURS and isinstance(value, str):
        _check_colour(key, value)
    if isinstance(value, (int, float)) and not 0 <= value <= 1:
        raise SettingsError(f"{key} = {value} is not allowed: from 0 to 1.")
    if isinstance(value, dict):
        for variable, colour in value.items():
            if not isinstance(colour, str):
                raise SettingsError(f"variables.{variable[:40]} is not a text.")
            _check_colour(f"variables.{variable[:40]}", colour)


def _check_colour(key: str, value: str) -> None:
    try:
        colour = Color.parse(value)
    except ColorParseError:
        raise SettingsError(
            f"{key} = {value[:60]!r} is not a colour: write #rrggbb or a name."
        ) from None
    if colour.ansi is not None:
        raise SettingsError(f"{key} = {value[:60]!r} is not allowed: terminal colours have no mix.")


# ---------------------------------------------------------------- readable colours


def contrast(one: Color, other: Color) -> float:
    """The contrast of two colours by WCAG 2, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in colour.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def inks(theme: Theme) -> dict[str, str]:
    """The colours of text beside the plain one, as CSS variables.

    Whatever the theme says, each of them has `LEAST_CONTRAST` on all grounds of the window.
    """
    if theme.ansi:
        return {
            "ink-quiet": "ansi_default",
            "ink-good": "ansi_green",
            "ink-wait": "ansi_yellow",
            "ink-bad": "ansi_red",
            "ink-mark": "ansi_cyan",
            "ink-title": "ansi_default",
        }
    colours = theme.to_color_system().generate()

    def colour(name: str) -> Color:
        return Color.parse(colours[name])

    foreground, background = colour("foreground"), colour("background")
    grounds = (background, colour("surface"), colour("panel"), cursor_ground(colours))
    wanted = {
        "ink-quiet": background.blend(foreground, 0.55),
        "ink-good": colour("success"),
        "ink-wait": colour("warning"),
        "ink-bad": colour("error"),
        "ink-mark": colour("accent"),
        "ink-title": colour("primary"),
    }
    return {name: readable(ink, foreground, grounds).hex for name, ink in wanted.items()}


def cursor_ground(colours: Mapping[str, str]) -> Color:
    """The ground of the line of a list, or the field, that has the cursor."""
    return Color.parse(colours["surface"]).blend(Color.parse(colours["primary"]), CURSOR_SHARE)


def window_colours(theme: Theme) -> dict[str, str]:
    """The CSS variables of the window that a theme file need not set."""
    if theme.ansi:
        return inks(theme) | {"cursor-ground": "ansi_bright_black"}
    colours = theme.to_color_system().generate()
    background = Color.parse(colours["background"])
    foreground = Color.parse(colours["foreground"])
    cursor = cursor_ground(colours).hex
    marked = {
        "cursor-ground": cursor,
        "block-cursor-background": cursor,
        "block-cursor-foreground": foreground.hex,
        "block-cursor-blurred-background": cursor,
        "block-cursor-blurred-text-style": "bold",
        "screen-selection-background": Color.parse(colours["primary"]).with_alpha(CURSOR_SHARE).hex,
    }
    bar = {
        "scrollbar": background.blend(foreground, 0.25).hex,
        "scrollbar-hover": background.blend(foreground, 0.4).hex,
        "scrollbar-active": Color.parse(colours["primary"]).hex,
    }
    ground = dict.fromkeys(
        (
            "scrollbar-background",
            "scrollbar-background-hover",
            "scrollbar-background-active",
            "scrollbar-corner-color",
        ),
        background.hex,
    )
    return inks(theme) | marked | bar | ground | theme.variables


def readable(ink: Color, foreground: Color, grounds: tuple[Color, ...]) -> Color:
    """`ink`, moved as little as needed towards the foreground, then towards black or white."""

    def worst(colour: Color) -> float:
        return min(contrast(colour, ground) for ground in grounds)

    extreme = max((BLACK, WHITE), key=worst)
    for target in (foreground, extreme):
        for step in range(21):
            mixed = ink.blend(target, step / 20)
            if worst(mixed) >= LEAST_CONTRAST:
                return mixed
    return extreme
