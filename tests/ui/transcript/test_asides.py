"""Thoughts and tool calls in the transcript: one line each, unfolded by key and click."""

from __future__ import annotations

import msgspec
import pytest
from tests.ui.transcript.messages import message
from tests.ui.transcript.test_rows import NAMES
from tests.ui.transcript.test_rows import texts as seen
from tests.ui.transcript.test_transcript import running, screen

from gemma_chat.host.protocol import Aside, MessageState, MessageView, Thought, ToolUse
from gemma_chat.ui.transcript.rows import MessageRows

THOUGHT = Thought(at=0, text="Hm,\nwhat now?", seconds=12.3)
CALL = ToolUse(at=0, call="c1", name="clock", arguments='{"city": "Paris"}')
ANSWERED = msgspec.structs.replace(CALL, outcome="answered", result="noon\nsharp")


def reply(
    text: str, *asides: Aside, state: MessageState = "complete", number: int = 1
) -> MessageView:
    return msgspec.structs.replace(message(number, text, state=state), asides=asides)


def texts(rows: MessageRows) -> list[str]:
    """All rows, measured."""
    rows.settle(100_000)
    return seen(rows)


def shown(view: MessageView, *, width: int = 60) -> MessageRows:
    rows = MessageRows(NAMES)
    rows.set_width(width)
    rows.replace([view], reuse=False)
    return rows


@pytest.mark.parametrize(
    ("aside", "line"),
    [
        (THOUGHT, "▸ thought for 12 s"),
        (Thought(at=0, text="Hm", seconds=0.2), "▸ thought for less than 1 s"),
        (Thought(at=0, text="Hm", seconds=125), "▸ thought for 2 min 5 s"),
        (Thought(at=0, text="Hm"), "▸ thought, and was interrupted"),
        (CALL, '▸ ⚒ clock {"city": "Paris"}  ■ not finished'),
        (ANSWERED, '▸ ⚒ clock {"city": "Paris"}  ✓'),
        (msgspec.structs.replace(CALL, outcome="refused"), "✗ refused"),
        (msgspec.structs.replace(CALL, outcome="failed"), "! failed"),
        (msgspec.structs.replace(CALL, outcome="stopped"), "■ not finished"),
    ],
)
def test_folded_each_is_one_line_that_says_what_it_is(aside: Aside, line: str) -> None:
    lines = texts(shown(reply("Yes.", aside)))
    assert lines[0] == "Gemma"
    assert line in lines[1]
    assert lines[2:] == ["", "Yes.", ""]


def test_while_the_reply_streams_what_has_not_ended_says_so() -> None:
    lines = texts(shown(reply("", Thought(at=0, text="Hm"), CALL, state="streaming")))
    assert lines[1:3] == ["▸ thinking …", '▸ ⚒ clock {"city": "Paris"}  …']


def test_a_click_unfolds_one_and_another_folds_it_again() -> None:
    rows = shown(reply("Yes.", THOUGHT, ANSWERED))
    folded = texts(rows)
    assert rows.toggle_aside(0) is None
    assert rows.toggle_aside(2) is not None
    assert texts(rows)[2:8] == [
        '▾ ⚒ clock {"city": "Paris"}  ✓',
        "│ arguments",
        '│ {"city": "Paris"}',
        "│ result",
        "│ noon",
        "│ sharp",
    ]
    assert rows.toggle_aside(7) is not None
    assert texts(rows) == folded


def test_text_stands_where_it_was_said_between_calls() -> None:
    view = reply("Let me see.It is noon.", ANSWERED, msgspec.structs.replace(CALL, at=11))
    lines = texts(shown(view))
    calls = [row for row, line in enumerate(lines) if "⚒ clock" in line]
    assert calls[0] < lines.index("Let me see.") < calls[1]
    assert lines[-2] == "It is noon."


def test_a_reply_that_streams_behind_a_thought_grows_below_it() -> None:
    rows = shown(reply("", Thought(at=0, text="Hm"), state="streaming"))
    assert texts(rows)[:2] == ["Gemma  … writing", "▸ thinking …"]
    rows.put(reply("", THOUGHT, state="streaming"))
    assert rows.add_text(1, 0, "Yes, **it")
    rows.flush(1)
    assert rows.add_text(1, 9, " is**.")
    rows.flush(1)
    rows.put(reply("Yes, **it is**.", THOUGHT))
    assert texts(rows) == ["Gemma", "▸ thought for 12 s", "", "Yes, it is.", ""]


HOSTILE = "\x1b[2J\x07\u202e\ud800[bold]x\r\n\tend"


@pytest.mark.parametrize("width", [1, 2, 7, 60])
@pytest.mark.parametrize("unfold", [False, True])
def test_nothing_that_a_tool_says_reaches_the_terminal_as_it_is(width: int, unfold: bool) -> None:
    use = ToolUse(0, 0, "c", HOSTILE, HOSTILE * 50, HOSTILE, "failed", HOSTILE)
    rows = shown(reply("x", Thought(at=0, text=HOSTILE), use), width=width)
    if unfold:
        rows.toggle_all_asides()
    for line in texts(rows):
        assert not set(line) & set("\x1b\x07\u202e\r\n\t\ud800")


def test_a_huge_result_is_cut_when_it_is_unfolded() -> None:
    rows = shown(reply("x", msgspec.structs.replace(ANSWERED, result="x" * 1_000_000)))
    rows.toggle_all_asides()
    assert any("980000 more characters" in line for line in texts(rows))
    assert rows.total < 1000


async def test_the_key_unfolds_all_and_a_click_one() -> None:
    views = [reply("One.", THOUGHT), reply("Two.", ANSWERED, number=2)]
    async with running(views) as (app, pilot):
        before = screen(app)
        row = next(y for y, line in enumerate(before) if "thought" in line)
        await pilot.click(app.transcript, offset=(6, row))
        assert any("what now?" in line for line in screen(app))
        app.transcript.toggle_asides()
        assert screen(app) == before
        app.transcript.toggle_asides()
        assert any("sharp" in line for line in screen(app))
