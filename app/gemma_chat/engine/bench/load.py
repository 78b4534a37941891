"""Another busy process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# It ends by itself when its parent is gone, however that came about.
_BUSY = """
import os
parent = os.getppid()
while os.getppid() == parent:
    sum(range(100_000))
"""


@contextmanager
def busy_process() -> Iterator[None]:
    """One process that keeps a core busy while the block runs."""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", _BUSY]) as process:
        try:
            yield
        finally:
            process.kill()
