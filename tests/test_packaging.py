"""What is installed: the wheel holds the program, its types and every theme."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    builder = WheelBuilder(str(ROOT))
    [path] = builder.build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(path) as wheel:
        return set(wheel.namelist())


def test_every_theme_of_the_repository_is_in_the_wheel(wheel_names: set[str]) -> None:
    themes = {f"gemma_chat/themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")}
    assert len(themes) >= 5
    assert themes <= wheel_names


def test_the_wheel_says_that_it_is_typed(wheel_names: set[str]) -> None:
    assert "gemma_chat/py.typed" in wheel_names


def test_every_module_is_in_the_wheel_and_nothing_else(wheel_names: set[str]) -> None:
    package = ROOT / "app" / "gemma_chat"
    modules = {f"gemma_chat/{path.relative_to(package)}" for path in package.rglob("*.py")}
    in_wheel = {name for name in wheel_names if name.endswith(".py")}
    assert in_wheel == modules


def test_the_top_level_of_the_repository_is_as_agreed() -> None:
    allowed = {"app", "tests", "themes", "screenshots", "pyproject.toml", "README.md", "LICENSE"}
    ignored = {"build", "dist"}
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert there - ignored <= allowed
