"""What a terminal loads to reach the host: next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "textual",
    "rich",
    "llama_cpp",
    "sqlite3",
    "psutil",
    "jinja2",
    "click",
    "gemma_chat.sessions",
    "gemma_chat.store",
    "gemma_chat.engine",
    "gemma_chat.models",
}


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["protocol", "client", "launch", "link", "status"])
def test_the_terminals_side_of_the_host_is_light(module: str) -> None:
    assert not HEAVY & modules_after(f"import gemma_chat.host.{module}")


def test_the_host_does_not_load_llama_cpp_before_a_model() -> None:
    assert not {"llama_cpp", "textual"} & modules_after("import gemma_chat.host.main")
