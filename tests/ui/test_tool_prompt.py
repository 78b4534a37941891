"""A tab asks whether its model may call a tool: by key, by mouse, and without being in the way."""

from __future__ import annotations

import pytest
from tests.ui.scripted import SIZES, ScriptedLink, make_app, screen_text, tab

from gemma_chat.config.settings import Settings
from gemma_chat.host import protocol as p

QUESTION = p.ToolQuestion(7, "read_file", '{"path": "plan.md"}')


def asking(session: int = 1, *questions: p.ToolQuestion) -> p.SessionView:
    return tab(session, "Tools", asking=questions or (QUESTION,), calling=("read_file",))


async def test_the_question_names_the_tool_and_its_arguments() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect((asking(1, QUESTION, QUESTION),))
        await pilot.pause()
        shown = screen_text(app)
        assert '? Call read_file with {"path": "plan.md"}  (1 more)' in shown
        assert "alt+o once" in shown
        assert "Tools ?" in shown
        assert app.focused is app.window.composer.editor
        link.event(p.SessionChanged(tab(1, "Tools", calling=("read_file",))))
        await pilot.pause()
        shown = screen_text(app)
        assert "? Call" not in shown
        assert "Tools »" in shown


async def test_the_keys_are_those_that_a_person_chose() -> None:
    link = ScriptedLink()
    app = make_app(link, settings=Settings(keys=(("tool.once", ("f9",)), ("tool.never", ()))))
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect((asking(),))
        await pilot.pause()
        shown = screen_text(app)
        assert "f9 once   alt+k always in this tab   never" in shown
        assert "alt+o" not in shown


@pytest.mark.parametrize(
    ("key", "answer"), [("alt+o", "once"), ("alt+k", "always"), ("alt+n", "never")]
)
async def test_a_key_answers_while_a_person_types(key: str, answer: p.ToolAnswer) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect((asking(),))
        await pilot.pause()
        await pilot.press("H", "i", key)
        await pilot.pause()
        assert link.asked(p.AnswerTool) == [p.AnswerTool(0, 1, 7, answer)]
        assert app.window.composer.draft.text == "Hi"


@pytest.mark.parametrize("answer", ["once", "always", "never"])
async def test_a_click_answers(answer: p.ToolAnswer) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect((asking(),))
        await pilot.pause()
        await pilot.click(f"#tool-{answer}")
        await pilot.pause()
        assert [request.answer for request in link.asked(p.AnswerTool)] == [answer]


async def test_only_the_shown_tab_is_answered_and_the_bar_shows_which_one_asks() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect((tab(1, "Plain"), asking(2)))
        await pilot.pause()
        assert "2 Tools ?" in screen_text(app)
        assert "? Call" not in screen_text(app)
        await pilot.press("alt+o")
        await pilot.pause()
        assert link.asked(p.AnswerTool) == []
        await pilot.press("ctrl+pagedown")
        await pilot.pause()
        assert "? Call read_file" in screen_text(app)


async def test_escape_stops_a_turn_whose_tools_run() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect((asking(),))
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert link.asked(p.StopTurn) == [p.StopTurn(0, 1, 0)]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_and_arguments_are_shown_as_they_are(size: tuple[int, int]) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=size) as pilot:
        hostile = p.ToolQuestion(8, "[bold]\x1b[2J", "\x1b]0;x\x07[/]\n" * 400)
        link.connect((asking(1, hostile),))
        await pilot.pause()
        shown = screen_text(app)
        assert "[bold]␛[2J" in shown
        assert "\x1b" not in shown
        assert "alt+o once" in shown


async def test_all_answers_can_be_read_in_a_narrow_window() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test(size=(40, 10)) as pilot:
        link.connect((asking(),))
        await pilot.pause()
        shown = screen_text(app)
        assert all(words in shown for words in ("alt+o once", "alt+k always", "alt+n never"))
