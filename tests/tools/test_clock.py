"""The clock tells the time of this machine, or of a zone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo

import pytest

from gemma_chat.errors import ToolError
from gemma_chat.tools.on_board.clock import clock_tool


def noon(zone: tzinfo | None) -> datetime:
    return datetime(2026, 7, 1, 12, 0, tzinfo=UTC).astimezone(zone or UTC)


async def test_it_tells_date_time_weekday_and_zone() -> None:
    assert await clock_tool(noon).run("{}") == "Wednesday, 2026-07-01 12:00:00, UTC+00:00"
    berlin = await clock_tool(noon).run('{"timezone": "Europe/Berlin"}')
    assert berlin == "Wednesday, 2026-07-01 14:00:00, UTC+02:00"


async def test_the_real_clock_runs() -> None:
    assert ", UTC+00:00" in await clock_tool().run('{"timezone": "UTC"}')


@pytest.mark.parametrize(
    "zone", ["Nowhere", "../../etc/passwd", "/etc/passwd", "\0", "Europe", "x" * 9000]
)
async def test_an_unknown_zone_is_a_sentence(zone: str) -> None:
    with pytest.raises(ToolError, match="There is no time zone"):
        await clock_tool(noon).run(json.dumps({"timezone": zone}))
