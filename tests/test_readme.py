"""What the README says is what the program does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from click import Command, Group

from gemma_chat.cli.commands import cli
from gemma_chat.ui.actions import markdown_key_table
from gemma_chat.ui.input.slash import markdown_command_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_key_table_is_that_of_the_program() -> None:
    written = README.partition("<!-- keys -->\n")[2].partition("<!-- /keys -->")[0]
    assert written == markdown_key_table()


def test_the_table_of_commands_is_that_of_the_program() -> None:
    written = README.partition("<!-- commands -->\n")[2].partition("<!-- /commands -->")[0]
    assert written == markdown_command_table()


def test_every_picture_exists_and_every_picture_is_shown() -> None:
    shown = set(re.findall(r"\(screenshots/([\w-]+\.svg)\)", README))
    assert shown == {path.name for path in (ROOT / "screenshots").glob("*.svg")}


def test_every_measurement_is_named() -> None:
    for path in (ROOT / "tests").rglob("bench_*.py"):
        name = path.relative_to(ROOT)
        module = ".".join(name.with_suffix("").parts)
        assert f"`python {name}" in README or f"`python -m {module}" in README


def test_every_theme_is_named() -> None:
    for path in (ROOT / "themes").glob("*.toml"):
        name = tomllib.loads(path.read_text("utf-8")).get("name", path.stem)
        assert f"`{name}`" in README


def test_every_command_in_the_readme_exists() -> None:
    for line in re.findall(r"^gemma-chat ([a-z]+(?: [a-z]+)?)", README, re.MULTILINE):
        command: Command = cli
        for word in line.split():
            assert isinstance(command, Group), line
            assert word in command.commands, line
            command = command.commands[word]
