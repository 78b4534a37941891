"""Sending, queueing, stopping, and what is never lost."""

from __future__ import annotations

import pytest
from tests.ui.hands import shows, until
from tests.ui.scripted import READY, ScriptedLink, make_app, message, notes, screen_text, tab

from gemma_chat.host import protocol as p
from gemma_chat.terms import LinkPhase

ONE = (tab(1, "Pirate", message_count=2),)
HISTORY = (message(1, "What is the sea?"), message(2, "Arr, wide.", role="assistant"))


async def test_enter_sends_and_empties_the_input() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.press(*"Ahoy", "enter")
        await pilot.pause()
        assert [(r.session, r.text) for r in link.asked(p.SendMessage)] == [(1, "Ahoy")]
        assert app.window.composer.draft.empty


async def test_whoever_reads_further_up_sees_what_becomes_of_a_message() -> None:
    link = ScriptedLink()
    link.stored[1] = tuple(message(number, f"line {number}") for number in range(1, 60))
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.press("ctrl+home")
        await pilot.pause()
        assert "line 59" not in screen_text(app)
        await pilot.press(*"Ahoy", "enter")
        await pilot.pause()
        assert "line 59" in screen_text(app)


async def test_an_empty_input_sends_nothing() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.press("enter", "space", "enter")
        assert link.asked(p.SendMessage) == []


async def test_another_message_can_be_queued_while_the_first_is_answered() -> None:
    link = ScriptedLink()
    link.held = {p.SendMessage}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE, lock=p.LockView(p.LockEntry(1, 1, "Pirate", phase="generating")))
        await pilot.pause()
        await pilot.press(*"one", "enter", *"two", "enter", *"three")
        await pilot.pause()
        assert [request.text for request in link.asked(p.SendMessage)] == ["one", "two"]
        assert app.window.composer.editor.text == "three"


async def test_a_message_that_cannot_be_sent_comes_back_before_what_was_typed_since() -> None:
    link = ScriptedLink()
    link.held = {p.SendMessage}
    link.refusals = {p.SendMessage: "The disk is full [really]."}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.press(*"old", "enter", *"new")
        link.release()
        await pilot.pause()
        await pilot.pause()
        assert app.window.composer.editor.text == "old\nnew"
        assert "The disk is full [really]." in notes(app)


async def test_a_message_of_a_tab_that_is_no_longer_shown_comes_back_to_that_tab() -> None:
    link = ScriptedLink()
    link.held = {p.SendMessage}
    link.refusals = {p.SendMessage: "no"}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "a"), tab(2, "b")))
        await pilot.pause()
        await pilot.press(*"old", "enter", "ctrl+pagedown", *"b's")
        link.release()
        await pilot.pause()
        await pilot.pause()
        assert app.window.composer.editor.text == "b's"
        await pilot.press("ctrl+pageup")
        assert app.window.composer.editor.text == "old"


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (p.ModelView(phase="none"), "No model is loaded"),
        (p.ModelView(phase="failed", error="cut short"), "could not be loaded"),
    ],
)
async def test_without_a_model_enter_keeps_the_text_and_says_why(
    model: p.ModelView, word: str
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1),), model=model)
        await pilot.pause()
        await pilot.press(*"later", "enter")
        await pilot.pause()
        assert link.asked(p.SendMessage) == []
        assert app.window.composer.editor.text == "later"
        assert any(word in note for note in notes(app))


@pytest.mark.parametrize(
    ("phase", "said"), [("lost", "host lost"), ("silent", "the host does not answer")]
)
async def test_without_a_host_that_answers_enter_keeps_the_text(
    phase: LinkPhase, said: str
) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        link.phase(phase, "The host ended unexpectedly.")
        await pilot.pause()
        await pilot.press(*"later", "enter")
        await pilot.pause()
        assert said in screen_text(app)
        assert link.asked(p.SendMessage) == []
        assert app.window.composer.editor.text == "later"


async def test_a_message_is_sent_while_the_model_loads_and_waits_in_the_host() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE, model=p.ModelView(phase="loading", progress=0.4))
        await pilot.pause()
        await pilot.press(*"soon", "enter")
        await pilot.pause()
        assert [request.text for request in link.asked(p.SendMessage)] == ["soon"]


async def test_escape_stops_the_running_turn_of_this_tab_only() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        running = p.LockEntry(2, 5, "Tutor", phase="generating")
        link.connect((tab(1, "a"), tab(2, "b")), lock=p.LockView(running))
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert link.asked(p.StopTurn) == []
        await pilot.press("ctrl+pagedown", "escape")
        await pilot.pause()
        assert [(r.session, r.turn) for r in link.asked(p.StopTurn)] == [(2, 5)]


async def test_escape_withdraws_a_queued_message_and_gives_its_text_back() -> None:
    link = ScriptedLink()
    link.stored[1] = (*HISTORY, message(3, "Never mind", turn=4, state="queued"))
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE, lock=p.LockView(None, (p.LockEntry(1, 4, "Pirate"),)))
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert [(r.session, r.turn) for r in link.asked(p.StopTurn)] == [(1, 4)]
        assert app.window.composer.editor.text == "Never mind"


async def test_a_withdrawn_message_does_not_overwrite_what_is_being_typed() -> None:
    link = ScriptedLink()
    link.stored[1] = (message(3, "Never mind", turn=4, state="queued"),)
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE, lock=p.LockView(None, (p.LockEntry(1, 4, "Pirate"),)))
        await pilot.pause()
        await pilot.press(*"typing", "escape")
        await pilot.pause()
        assert app.window.composer.editor.text == "typing"


async def test_a_reply_is_seen_as_it_streams() -> None:
    link = ScriptedLink()
    link.stored[1] = HISTORY
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.pause()
        assert "Arr, wide." in screen_text(app)
        reply = message(4, "", role="assistant", turn=2, state="streaming")
        link.event(p.MessageChanged(1, 2, message(3, "And deep?", turn=2)))
        link.event(p.MessageChanged(1, 2, reply))
        for offset, piece in ((0, "Aye, "), (5, "that "), (10, "too.")):
            link.event(p.TurnText(1, 2, 4, offset, piece))
        await shows(pilot, "And deep?", "Aye, that too.")


async def test_a_gap_in_the_stream_is_mended_by_fetching_again() -> None:
    link = ScriptedLink()
    link.stored[1] = (message(2, "Aye", role="assistant", state="streaming"),)
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.pause()
        link.stored[1] = (message(2, "Aye, that too.", role="assistant", state="streaming"),)
        link.event(p.TurnText(1, 1, 2, 10, "too."))
        await shows(pilot, "Aye, that too.")
        assert len(link.asked(p.FetchMessages)) == 2


async def test_when_the_host_comes_back_the_reply_so_far_is_there_again() -> None:
    link = ScriptedLink()
    link.stored[1] = (message(2, "Aye", role="assistant", state="streaming"),)
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        link.phase("lost", "The host ended unexpectedly.")
        await shows(pilot, "host lost, starting again")
        link.stored[1] = (message(2, "Aye, tha", role="assistant", state="interrupted"),)
        link.connect(ONE)
        await shows(pilot, "Aye, tha", "lock free")


async def test_a_draft_typed_while_the_host_was_away_is_told_to_the_next_one() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        link.phase("lost", "gone")
        await pilot.pause()
        await pilot.press(*"kept")
        app.store_draft()
        await pilot.pause()
        link.requests.clear()
        link.connect(ONE)
        await pilot.pause()
        await pilot.pause()
        assert [request.text for request in link.asked(p.SaveDraft)] == ["kept"]


async def test_older_messages_are_fetched_when_the_reader_nears_the_first() -> None:
    link = ScriptedLink()
    link.stored[1] = tuple(message(number, f"line {number}") for number in range(1, 701))
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect((tab(1, "long", message_count=700),))
        await pilot.pause()
        await pilot.pause()
        assert len(app.state.tabs[0].conversation.messages) == 500
        await pilot.press("ctrl+home")
        await until(pilot, lambda: len(app.state.tabs[0].conversation.messages) == 700)
        assert [request.before for request in link.asked(p.FetchMessages)] == [0, 201]


async def test_errors_and_notices_are_shown_as_they_are_and_end_nothing() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        hostile = "cannot open [some/file] [/] \x1b[2J"
        link.event(p.Notice("error", hostile))
        link.event(p.TurnFinished(1, 1, "failed", p.TurnMetrics(), hostile * 1000))
        await pilot.pause()
        assert any("cannot open [some/file]" in note for note in notes(app))
        assert not any("\x1b" in note for note in notes(app))
        assert app.is_running


async def test_a_failed_model_is_explained_on_the_page() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        error = "FILE [x].gguf is cut short: 3 of 9 MB."
        link.connect((tab(1),), model=p.ModelView(phase="failed", error=error))
        await pilot.pause()
        assert error in app.window.welcome.text
        link.event(p.ModelChanged(READY))
        await pilot.pause()
        assert error not in app.window.welcome.text


async def test_leaving_keeps_the_draft_and_the_place_of_the_reader() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(ONE)
        await pilot.pause()
        await pilot.press(*"half a", "ctrl+q")
        await pilot.pause()
        assert [request.text for request in link.asked(p.SaveDraft)] == ["half a"]
        assert app.return_code == 0
