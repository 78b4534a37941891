"""What of a conversation the model sees, as the screen tells it."""

from __future__ import annotations

import msgspec
import pytest
from tests.ui.scripted import READY, ScriptedLink, make_app, notes, screen_text, tab
from tests.ui.transcript.messages import history
from textual.widgets import Button, Select

from gemma_chat.host import protocol as p
from gemma_chat.ui.context_screen import ContextScreen
from gemma_chat.ui.context_words import briefly, heading_of, listing_of, mark_of, prompt_of
from gemma_chat.ui.state import TerminalState, apply
from gemma_chat.ui.status_line import rows_of
from gemma_chat.ui.transcript import Transcript
from gemma_chat.ui.transcript.rows import MessageRows

REPLACED = p.ReplacedView(4, 4, 4, "They spoke of the sea.", 1.0)
PARTS = (
    p.ContextPart("system", 10, "<|im_start|>system\nBe kind.\x1b[2J<|im_end|>\n"),
    p.ContextPart("summary", 40, "<|im_start|>user\nThey spoke of the sea.<|im_end|>\n"),
    p.ContextPart("exchange", 1, "<|im_start|>user\nAnd now?<|im_end|>\n", "And now?\x1b[2J"),
    p.ContextPart("opening", 9, "<|im_start|>user\n"),
)
CONTEXT = p.Context(0, 1, PARTS, 8192, 2048, REPLACED)


def with_replaced(replaced: p.ReplacedView) -> p.SessionView:
    summary = p.SummaryView("They spoke of the sea, and of ships.", 8, 2.0)
    return msgspec.structs.replace(tab(1, "Sea"), replaced=replaced, summary=summary)


@pytest.mark.parametrize(
    ("replaced", "mark", "short"),
    [
        (p.ReplacedView(), "", ""),
        (
            p.ReplacedView(9, 14, 14, "x"),
            "┄ 14 messages above are in the model's context as a summary ┄",
            "14 as summary",
        ),
        (
            p.ReplacedView(9, 1200, 0),
            "┄ 1,200 messages above are not in the model's context ┄",
            "1200 left out",
        ),
        (
            p.ReplacedView(9, 14, 10, "x"),
            "┄ of 14 messages above, 4 are not in the model's context, the others as a summary ┄",
            "10 as summary, 4 left out",
        ),
    ],
)
def test_what_is_replaced_is_said_in_one_line(
    replaced: p.ReplacedView, mark: str, short: str
) -> None:
    assert mark_of(replaced) == mark
    assert briefly(replaced) == short


def test_the_mark_stands_below_the_last_replaced_message_and_moves_nothing_else() -> None:
    rows = MessageRows({"user": "You", "assistant": "Gemma"})
    rows.set_width(70)
    rows.replace(history(6), reuse=False)
    rows.settle(10)
    before = rows.total
    assert rows.mark(3, "┄ here ┄")
    assert not rows.mark(3, "┄ here ┄")
    rows.settle(10)
    assert rows.total == before + 2
    entry = rows.entry(3)
    assert entry is not None
    entry.measure(70)
    lines = [entry.line(row).text for row in range(entry.height)]
    assert lines[-3:] == ["", "┄ here ┄", ""]
    assert [row for row in range(entry.height) if entry.is_mark(row)] == [entry.height - 2]
    rows.mark(0, "")
    rows.settle(10)
    assert rows.total == before


def test_messages_that_are_fetched_later_bring_the_mark_with_them() -> None:
    rows = MessageRows({"user": "You", "assistant": "Gemma"})
    rows.set_width(70)
    everything = history(6)
    rows.mark(2, "┄ here ┄")
    rows.replace(everything[4:], reuse=False)
    rows.prepend(everything[:4])
    entry = rows.entry(2)
    assert entry is not None
    entry.measure(70)
    assert "┄ here ┄" in [entry.line(row).text for row in range(entry.height)]


def test_the_gauge_says_what_is_summarised_away_as_long_as_it_fits() -> None:
    state = apply(
        TerminalState(),
        p.Snapshot((with_replaced(REPLACED),), p.LockView(), READY, p.SummarizerView()),
    )
    state = msgspec.structs.replace(state, active=1)

    def bar(width: int) -> str:
        return "".join(shown.text for row in rows_of(state, width, 1) for shown in row)

    assert "┄ 4 as summary" in bar(140)
    assert "summary" not in bar(40)
    assert "%" in bar(40)


async def test_the_transcript_marks_what_is_replaced_and_a_click_opens_the_summary() -> None:
    link = ScriptedLink()
    link.stored[1] = tuple(history(8))
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect((with_replaced(p.ReplacedView()),))
        await pilot.pause()
        assert "in the model's context" not in screen_text(app)
        link.event(p.SessionChanged(with_replaced(REPLACED)))
        await pilot.pause()
        lines = screen_text(app).splitlines()
        row = next(i for i, line in enumerate(lines) if "4 messages above are in" in line)
        transcript = app.query_one(Transcript)
        await pilot.click(transcript, offset=(10, row - transcript.region.y))
        await pilot.pause()
        shown = screen_text(app)
        assert "They spoke of the sea, and of ships." in shown
        assert "Context: 4 as summary" in shown
        assert "an older one" in shown
        link.event(p.SessionChanged(with_replaced(p.ReplacedView())))
        await pilot.pause()
        assert "in the model's context" not in screen_text(app)


async def test_the_summary_is_copied_and_put_behind_what_stands_in_the_input() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect((with_replaced(REPLACED),))
        await pilot.pause()
        await pilot.press(*"Hello", "f4")
        await pilot.pause()
        app.query_one("#insert", Button).press()
        await pilot.pause()
        assert app.window.composer.draft.text == "Hello\n\nThey spoke of the sea, and of ships."
        app.query_one("#copy", Button).press()
        await pilot.pause()
        assert app.clipboard == "They spoke of the sea, and of ships."


async def test_without_a_summary_there_is_nothing_to_copy_or_insert() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect((tab(1, "Sea"),))
        await pilot.pause()
        await pilot.press("f4")
        for button in ("copy", "insert"):
            app.query_one(f"#{button}", Button).press()
        await pilot.pause()
        assert "This tab has no summary yet." in notes(app)
        assert app.window.composer.draft.empty


async def test_slash_context_shows_the_prompt_and_copies_it() -> None:
    link = ScriptedLink()
    link.answers[p.ShowContext] = CONTEXT
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect((with_replaced(REPLACED),))
        await pilot.pause()
        await pilot.press(*"/context", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ContextScreen)
        shown = screen_text(app)
        assert "60 of 8,192 tokens" in shown
        assert "── beginning, with system instruction and tools · 10 tokens ──" in shown
        assert "── And now?" in shown
        assert "\x1b" not in shown
        await pilot.press("c")
        await pilot.pause()
        assert app.clipboard == prompt_of(CONTEXT)
        assert not isinstance(app.screen, ContextScreen)


async def test_in_the_middle_of_a_turn_it_is_said_that_its_question_is_not_in_it_yet() -> None:
    link = ScriptedLink()
    link.answers[p.ShowContext] = CONTEXT
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect((tab(1, "Sea"), tab(2, "Sky")), lock=p.LockView(p.LockEntry(2, 1, "Sky")))
        await pilot.pause()
        for session, says_so in ((1, False), (2, True)):
            app.show_tab(session)
            await pilot.press(*"/context", "enter")
            await pilot.pause()
            assert ("The question under way is not in it yet" in screen_text(app)) is says_so
            await pilot.press("escape")


async def test_a_context_that_cannot_be_shown_is_told() -> None:
    link = ScriptedLink()
    link.refusals[p.ShowContext] = "There is no model; load one first."
    app = make_app(link)
    async with app.run_test(size=(120, 40)) as pilot:
        link.connect((tab(1, "Sea"),))
        await pilot.pause()
        await pilot.press(*"/context", "enter")
        await pilot.pause()
        assert "There is no model; load one first." in notes(app)


def test_the_prompt_of_a_server_is_told_by_lengths_alone() -> None:
    parts = tuple(msgspec.structs.replace(part, text="") for part in PARTS)
    context = msgspec.structs.replace(CONTEXT, parts=parts)
    assert "estimates" in heading_of(context)
    assert listing_of(context).count("tokens ──") == 3


async def test_what_becomes_of_a_full_context_is_chosen_in_the_settings() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(120, 60)) as pilot:
        link.connect((tab(1, "Sea"),))
        await pilot.pause()
        await pilot.press("f3")
        await pilot.pause()
        assert "summary of older turns" in screen_text(app)
        app.query_one("#setting-overflow", Select).value = "stop"
        await pilot.pause()
        (request,) = link.asked(p.ChangeSettings)
        assert request.settings.overflow == "stop"
        assert "not answered" in screen_text(app)
