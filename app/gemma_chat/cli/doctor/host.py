"""The host."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from gemma_chat.cli.doctor.finding import Finding, fault, ok, warning
from gemma_chat.config.paths import Paths
from gemma_chat.errors import GemmaChatError
from gemma_chat.host.status import host_status
from gemma_chat.quantities import counted


def host_findings(paths: Paths) -> Iterator[Finding]:
    """Whether one runs, and answers."""
    try:
        status = asyncio.run(host_status(paths))
    except GemmaChatError as error:
        yield fault("host", str(error), "End it: gemma-chat host stop")
        return
    if status is None:
        yield ok("host", "none runs; it is started when it is needed")
        return
    yield ok("host", f"runs, pid {status.pid}, {counted(status.sessions, 'tab')}")
    if status.model.phase == "failed":
        yield fault("host's model", status.model.error, "See gemma-chat host log.")
    elif status.model.safe_mode:
        yield warning("host's model", f"runs {status.model.safe_mode}", "See the first decode.")
