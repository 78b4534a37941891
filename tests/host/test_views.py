"""What the store, the protocol and files each have a record of is the same in all of them.

The rooms know nothing of each other, so each has a struct of its own; the host copies by name.
"""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from gemma_chat.exchange import transcript as file
from gemma_chat.host import protocol
from gemma_chat.sessions import metrics as sessions
from gemma_chat.store import records


def fields(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (records.Thought, protocol.Thought),
        (records.Thought, file.Thought),
        (records.ToolUse, protocol.ToolUse),
        (records.ToolUse, file.ToolUse),
        (records.Scroll, protocol.ScrollPosition),
        (records.TabPair, protocol.TabPair),
        (records.TurnMetrics, protocol.TurnMetrics),
    ],
)
def test_two_records_of_one_thing_have_the_same_fields(
    one: type[msgspec.Struct], other: type[msgspec.Struct]
) -> None:
    assert fields(one) == fields(other)


def test_every_figure_that_a_session_reports_is_stored_and_told() -> None:
    reported = {field.name for field in dataclasses.fields(sessions.TurnMetrics)}
    assert set(fields(records.TurnMetrics)) - reported == {"model"}
    assert reported < set(fields(records.TurnMetrics))
