"""The figures of a reply, on demand and in words."""

from __future__ import annotations

import msgspec
from tests.ui.scripted import ScriptedLink, make_app, message, notes, screen_text, tab

from gemma_chat.host import protocol as p
from gemma_chat.ui.figures import FiguresDialog, figures_of

METRICS = p.TurnMetrics(
    reused_tokens=900,
    restored_tokens=100,
    evaluated_tokens=234,
    generated_tokens=80,
    queue_seconds=1.5,
    time_to_first_token=2.25,
    prefill_tokens_per_second=310.4,
    decode_tokens_per_second=43.21,
    finish_reason="length",
    guessed_tokens=40,
    guessed_right_tokens=30,
    seed=7,
    model="SmolLM2-135M-Instruct Q4_1",
)
REPLY = msgspec.structs.replace(message(2, "Wide.", role="assistant"), metrics=METRICS)
TALK = (message(1, "What is the sea?"), REPLY, message(3, "And now?", turn=2, state="queued"))


def test_every_figure_of_a_turn_is_there() -> None:
    figures = dict(figures_of(REPLY))
    assert figures == {
        "prompt": "1,234 tokens",
        "  kept from before": "900 in the cache",
        "  restored": "100 from a saved state",
        "  evaluated": "234 at 310 tok/s",
        "reply": "80 tokens",
        "  speed": "43.2 tok/s",
        "  prompt lookup": "30 of 40 guesses right (75%)",
        "waited for the lock": "1.50 s",
        "first token after": "2.25 s, the wait included",
        "ended because": "its limit, or the window, was reached",
        "model": "SmolLM2-135M-Instruct Q4_1",
        "seed": "7",
    }


def test_a_failed_turn_says_why_and_what_was_not_measured_is_left_out() -> None:
    metrics = p.TurnMetrics(finish_reason="failed")
    failed = msgspec.structs.replace(REPLY, metrics=metrics, error="It \x1b[31mbroke\nhere.")
    figures = dict(figures_of(failed))
    assert figures["ended because"] == "It ␛[31mbroke here."
    assert {"  speed", "  prompt lookup", "first token after", "model"}.isdisjoint(figures)
    assert figures["seed"] == "none: no chance"
    assert figures_of(message(1, "no reply yet", role="assistant")) == ()


async def test_i_on_a_question_or_its_reply_opens_them_and_a_command_those_of_the_newest() -> None:
    link = ScriptedLink()
    link.stored[1] = TALK[:2]
    app = make_app(link)
    async with app.run_test(size=(90, 30)) as pilot:
        link.connect((tab(1, "Pirate", message_count=2),))
        await pilot.pause()
        await pilot.pause()
        for keys in (("alt+up", "i"), ("alt+up", "up", "i"), (*"/figures", "enter")):
            await pilot.press(*keys)
            await pilot.pause()
            assert isinstance(app.screen, FiguresDialog)
            assert "1,234 tokens" in screen_text(app)
            await pilot.press("escape")
            await pilot.pause()
            app.action_run("turn.stop")
            await pilot.pause()


async def test_a_question_that_waits_has_no_figures() -> None:
    link = ScriptedLink()
    link.stored[1] = TALK
    app = make_app(link)
    async with app.run_test(size=(90, 30)) as pilot:
        link.connect((tab(1, "Pirate", message_count=3),))
        await pilot.pause()
        await pilot.pause()
        await pilot.press("alt+up", "i")
        await pilot.pause()
        assert notes(app) == ["There are no figures of this message yet."]
