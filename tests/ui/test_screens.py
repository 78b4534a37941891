"""Every screen in two sizes and two themes, compared cell by cell.

A scene (`screens/windows.py`, `screens/dialogs.py`) brings the program to a screen; its pictures
are kept as text in `screens/pictures/`, so that a change of a screen is read in the diff. To take
all pictures anew after a change that is wanted:

    REFRESH_SCREENS=1 pytest tests/ui/test_screens.py

Then look at `git diff`. A new screen is one more function among the scenes of its module.
"""

from __future__ import annotations

import difflib
import os
import time
from pathlib import Path

import pytest
from tests.ui.screens import dialogs, windows
from tests.ui.screens.picture import Shot, picture
from tests.ui.screens.stage import NOW, Scene, stage
from textual.widgets import Input, TextArea

from gemma_chat.ui.app import ChatApp

PICTURES = Path(__file__).parent / "screens" / "pictures"
THEMES = ("gemma-dark", "gemma-light")
SIZES = ((112, 32), (40, 10))
SCENES = (*windows.SCENES, *dialogs.SCENES)
MADE_FOR_ONE_THEME = (dialogs.palette, dialogs.theme_list)
"""Dialogs that go before the theme can change: they are brought to the screen in each."""
REFRESH = "REFRESH_SCREENS" in os.environ


def file_of(scene: Scene, size: tuple[int, int]) -> Path:
    name = scene.__name__.replace("_", "-")
    return PICTURES / f"{name}.{size[0]}x{size[1]}.txt"


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


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_the_screen_is_readable_and_as_in_its_picture(
    scene: Scene, size: tuple[int, int]
) -> None:
    shots: dict[str, Shot] = {}
    together = [(theme,) for theme in THEMES] if scene in MADE_FOR_ONE_THEME else [THEMES]
    for themes in together:
        async with stage(size, themes[0]) as played:
            await scene(played)
            for theme in themes:
                played.app.theme = theme
                shots[theme] = await played.shot()
                assert played.faint(shots[theme]) == []
    taken = picture(shots)
    file = file_of(scene, size)
    if REFRESH:
        file.write_text(taken, "utf-8")
    kept = file.read_text("utf-8") if file.exists() else ""
    difference = difflib.unified_diff(
        kept.splitlines(), taken.splitlines(), file.name, "now", lineterm=""
    )
    assert taken == kept, "\n".join(difference)


def test_every_picture_belongs_to_a_scene() -> None:
    assert {file_of(scene, size) for scene in SCENES for size in SIZES} == set(PICTURES.iterdir())
