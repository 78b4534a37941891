"""What the transcript loads before there is anything to show."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import sys
import gemma_chat.ui.transcript
print(" ".join(sys.modules))
"""


def test_parsers_are_loaded_when_there_is_something_to_parse() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())

    assert "gemma_chat.ui.markdown.stream" in loaded
    assert loaded.isdisjoint({"markdown_it", "mdurl", "pygments.lexers"})
