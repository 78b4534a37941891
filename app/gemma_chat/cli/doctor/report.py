"""All checks, one after another, and the report."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gemma_chat.cli.doctor.build import build_findings, machine_findings
from gemma_chat.cli.doctor.data import data_findings, settings_findings
from gemma_chat.cli.doctor.finding import Finding
from gemma_chat.cli.doctor.host import host_findings
from gemma_chat.cli.doctor.model import model_findings
from gemma_chat.cli.doctor.server import server_findings
from gemma_chat.cli.doctor.terminal import terminal_findings
from gemma_chat.cli.output import visible
from gemma_chat.config.paths import Paths

SIGNS = {"ok": "ok     ", "warning": "warning", "fault": "FAULT  "}


def all_findings(paths: Paths, model: Path | None) -> Iterator[Finding]:
    """Everything, as it is found out. Nothing is changed, the memory of safe modes aside."""
    yield from build_findings()
    yield from machine_findings(paths)
    settings, found = settings_findings(paths)
    yield from found
    if settings.server.url and model is None:
        yield from server_findings(settings.server)
    else:
        yield from model_findings(paths, settings, model)
    yield from data_findings(paths)
    yield from host_findings(paths)
    yield from terminal_findings(os.environ)


def line_of(finding: Finding) -> str:
    """A finding as it is printed, with its remedy below it."""
    line = f"{SIGNS[finding.state]}  {finding.area}: {finding.text}"
    if finding.remedy:
        line += f"\n         {finding.remedy}"
    return visible(line)
