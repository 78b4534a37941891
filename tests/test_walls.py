"""The walls between the rooms: what may import what, and what is loaded when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`."""
    script = f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_a_room_imports_only_the_rooms_below_it() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import gemma_chat", {"llama_cpp", "textual", "asyncio", "msgspec", "sqlite3"}),
        ("import gemma_chat.host.client", {"llama_cpp", "textual", "sqlite3", "jinja2", "numpy"}),
        ("import gemma_chat.ui.app", {"llama_cpp", "sqlite3", "jinja2", "numpy", "psutil"}),
        (
            "import gemma_chat.ui.plain.start",
            {"textual", "markdown_it", "llama_cpp", "sqlite3", "jinja2", "numpy", "psutil"},
        ),
        ("import gemma_chat.store.store", {"llama_cpp", "textual", "numpy", "asyncio"}),
        (
            "import gemma_chat.remote.engine",
            {"llama_cpp", "numpy", "jinja2", "textual", "asyncio", "sqlite3"},
        ),
        ("import gemma_chat.host.main", {"llama_cpp", "numpy", "textual"}),
        ("import gemma_chat.engine.safety", {"llama_cpp", "textual", "asyncio", "sqlite3"}),
    ],
    ids=lambda value: value.split()[-1] if isinstance(value, str) else "",
)
def test_a_room_loads_nothing_that_is_not_its_own(statement: str, heavy: set[str]) -> None:
    assert not heavy & loaded_by(statement)


def test_help_loads_neither_screen_nor_host_nor_model() -> None:
    statement = (
        "import sys; sys.argv = ['gemma-chat', '--help']\n"
        "import contextlib, io\n"
        "from gemma_chat.cli.commands import cli\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    cli.main(['--help'], standalone_mode=False)"
    )
    loaded = loaded_by(statement)
    heavy = {"textual", "rich", "asyncio", "msgspec", "llama_cpp", "sqlite3", "jinja2", "psutil"}
    assert not heavy & loaded
