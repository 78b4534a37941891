"""The time, which no model knows."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Annotated

from gemma_chat.errors import ToolError
from gemma_chat.tools.functions import function_tool
from gemma_chat.tools.tool import Tool

Now = Callable[[tzinfo | None], datetime]
"""The time in a zone; `None` is that of this machine."""


def _now(zone: tzinfo | None) -> datetime:
    return datetime.now(zone).astimezone(zone)


def clock_tool(now: Now = _now) -> Tool:
    """The tool `clock`."""

    def clock(
        timezone: Annotated[
            str, "For example Europe/Berlin or UTC; empty for the local time."
        ] = "",
    ) -> str:
        """Tell the current date, time and weekday."""
        moment = now(_zone(timezone) if timezone.strip() else None)
        offset = moment.strftime("%z")
        return f"{moment:%A}, {moment:%Y-%m-%d %H:%M:%S}, UTC{offset[:3]}:{offset[3:]}"

    return function_tool(clock)


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name.strip())
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ToolError(
            f"There is no time zone {name[:80]!r}. Use a name such as Europe/Berlin, or UTC."
        ) from None
