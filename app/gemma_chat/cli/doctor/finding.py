"""What a check has found."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. What is not ok has a remedy."""

    area: str
    state: State
    text: str
    remedy: str = ""


def ok(area: str, text: str) -> Finding:
    """All is as it should be."""
    return Finding(area, "ok", text)


def warning(area: str, text: str, remedy: str) -> Finding:
    """It works, but could work better."""
    return Finding(area, "warning", text, remedy)


def fault(area: str, text: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(area, "fault", text, remedy)


class ChildFailed(Exception):
    """A child process gave no report; the message says how it ended."""


def report_of_child(module: str, *arguments: str, seconds: float = 300) -> dict[str, Any]:
    """What `python -m module` prints as JSON; raises `ChildFailed`."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"it took more than {seconds:.0f} seconds") from None
    if done.returncode < 0:
        raise ChildFailed(f"it was ended by {signal.Signals(-done.returncode).name}")
    try:
        report = json.loads(done.stdout)
    except ValueError:
        said = " ".join(done.stdout.decode("utf-8", "replace").split())
        raise ChildFailed(said[:500] or f"exit code {done.returncode}") from None
    if not isinstance(report, dict):
        raise ChildFailed("it gave something that is no report")
    return report
