"""What is loaded for the first paint: as little as can be."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.ui.pty_terminal import APP

HEAVY = (
    "gemma_chat.config.library",
    "gemma_chat.engine.llama",
    "gemma_chat.media.facts",
    "gemma_chat.store.store",
    "gemma_chat.ui.chooser",
    "gemma_chat.ui.commands",
    "gemma_chat.ui.input.completion",
    "gemma_chat.ui.input.suggestions",
    "gemma_chat.ui.input.vi.machine",
    "gemma_chat.ui.settings_panel",
    "gemma_chat.ui.help",
    "gemma_chat.ui.jump_list",
    "gemma_chat.ui.transcript",
    "importlib.resources",
    "jinja2",
    "llama_cpp",
    "markdown_it",
    "numpy",
    "pygments",
    "rich.markdown",
    "rich.syntax",
    "sqlite3",
    "textual.widgets._markdown",
)
FIRST_PAINT = """
import asyncio, json, sys
from pathlib import Path
from gemma_chat.ui import start
begun = sorted(sys.modules)
from tests.ui.scripted import ScriptedLink, make_app
from gemma_chat.ui.app import ChatApp
def ready(self):
    sys.__stdout__.write(json.dumps([begun, sorted(sys.modules)]))
    self.exit()
ChatApp.on_ready = ready
asyncio.run(make_app(ScriptedLink()).run_async(headless=True))
"""


def modules() -> tuple[list[str], list[str]]:
    """What is loaded before the host is started, and at the first paint."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PAINT],
        cwd=APP.parent,
        env={"PYTHONPATH": f"{APP}:{APP.parent}", "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=True,
    )
    begun, painted = json.loads(done.stdout)
    return begun, painted


def test_the_first_paint_needs_no_heavy_module_and_the_host_is_started_before_textual() -> None:
    begun, painted = modules()
    assert [name for name in HEAVY if name in painted] == []
    assert [name for name in begun if name.partition(".")[0] in ("textual", "rich")] == []
