"""Every screen in two sizes and two themes, compared cell by cell.

A scene (`screens/windows.py`, `screens/dialogs.py`, `screens/models.py`) brings the program to a
screen; its pictures are kept as text in `screens/pictures/`, so that a change of a screen is read
in the diff. To take all pictures anew after a change that is wanted:

    REFRESH_SCREENS=1 pytest tests/ui/test_screens.py

Then look at `git diff`. A new screen is one more function among the scenes of its module.
"""

from __future__ import annotations

import difflib
import os
import time
from pathlib import Path

import pytest
from tests.ui.screens import dialogs, models, windows
from tests.ui.screens.picture import Shot, picture
from tests.ui.screens.stage import NOW, Scene, stage
from tests.ui.small_vt import SmallVt
from textual.widgets import Input, TextArea

from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.splash import outline

PICTURES = Path(__file__).parent / "screens" / "pictures"
THEMES = ("gemma-dark", "gemma-light")
SIZES = ((112, 32), (40, 10))
SCENES = (*windows.SCENES, *dialogs.SCENES, *models.SCENES)
SHOW_THE_THEME = (dialogs.palette, dialogs.theme_list)
"""They know the theme they were opened in, and are played once for each."""
START = "starting"
DIM = "2"
REFRESH = "REFRESH_SCREENS" in os.environ


def file_of(scene: str, size: tuple[int, int]) -> Path:
    return PICTURES / f"{scene.replace('_', '-')}.{size[0]}x{size[1]}.txt"


def assert_as_kept(taken: str, file: Path) -> None:
    if REFRESH:
        file.write_text(taken, "utf-8")
    kept = file.read_text("utf-8") if file.exists() else ""
    difference = difflib.unified_diff(
        kept.splitlines(), taken.splitlines(), file.name, "now", lineterm=""
    )
    assert taken == kept, "\n".join(difference)


@pytest.fixture(autouse=True)
def the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the day, nor the folder, nor the terminal of the tests is seen; no cursor blinks."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(ChatApp, "NOTIFICATION_TIMEOUT", 3_600)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda _: None)
    monkeypatch.chdir("/")
    for name in ("NO_COLOR", "COLORTERM", "TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)


async def shots_of(scene: Scene, size: tuple[int, int], themes: tuple[str, ...]) -> dict[str, Shot]:
    """The screen that a scene leads to, played once, in each of these themes."""
    shots = {}
    async with stage(size, themes[0]) as played:
        await scene(played)
        for theme in themes:
            played.app.theme = theme
            shots[theme] = await played.shot()
            assert played.faint(shots[theme]) == []
    return shots


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_screen_is_readable_and_as_in_its_picture(
    scene: Scene, size: tuple[int, int]
) -> None:
    if scene in SHOW_THE_THEME:
        dark, light = THEMES
        shots = {
            **await shots_of(scene, size, (dark,)),
            **await shots_of(scene, size, (light,)),
        }
    else:
        shots = await shots_of(scene, size, THEMES)
    assert_as_kept(picture(shots), file_of(scene.__name__, size))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_outline_of_the_start_is_in_the_terminals_own_colours_and_as_in_its_picture(
    size: tuple[int, int],
) -> None:
    terminal = SmallVt(*size)
    terminal.feed(outline(*size))
    assert {look for row in terminal.cells for _, look in row} <= {"", DIM}
    assert_as_kept("".join(f"{row.rstrip()}\n" for row in terminal.text), file_of(START, size))


def test_every_picture_belongs_to_a_scene() -> None:
    names = (START, *(scene.__name__ for scene in SCENES))
    assert {file_of(name, size) for name in names for size in SIZES} == set(PICTURES.iterdir())
