"""Quitting, detaching and stopping the host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.ui.scripted import READY, ScriptedLink, make_app, notes, screen_text, tab
from textual import events

from gemma_chat.config.paths import Paths
from gemma_chat.host import protocol as p
from gemma_chat.host.launch import HostLaunch
from gemma_chat.ui.leaving import detached, disturbed_by_stop
from gemma_chat.ui.state import TabState, TerminalState

TABS = (tab(1, "Pirate"), tab(2, "Tutor"))
WRITING = p.LockView(p.LockEntry(1, 1, "Pirate", phase="generating"), (p.LockEntry(2, 1, "Tutor"),))


class SharedHost(ScriptedLink):
    """A host with so many other terminals."""

    def __init__(self, others: int) -> None:
        super().__init__()
        self.others = others

    def _reply(self, request: p.Request) -> p.Reply:
        if isinstance(request, p.GetStatus):
            return p.Status(
                0, 1, "host", 0.0, self.others, 2, READY, p.LockView(), p.SummarizerView()
            )
        return super()._reply(request)


@pytest.mark.parametrize("key", ["alt+q", "/detach"])
async def test_detaching_tells_the_host_to_stay_and_the_person_how_to_come_back(key: str) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press(*(key if key[0] == "/" else (key,)), *(["enter"] * (key[0] == "/")))
        await pilot.pause()
        await pilot.pause()
        assert link.asked(p.Goodbye) == [p.Goodbye(0, "stays")]
        assert app.return_code == 0
    assert app.farewell == detached("gemma-chat")


async def test_who_came_with_a_profile_is_told_how_to_come_back_to_it(tmp_path: Path) -> None:
    plain = HostLaunch(Paths.default(environment={"GEMMA_CHAT_HOME": str(tmp_path)}))
    assert plain.command == "gemma-chat"
    assert replace(plain, arguments=("--profile", "default")).command == "gemma-chat"
    named = replace(plain, arguments=("--profile", "work", "--model", "/m.gguf")).command
    assert named == "gemma-chat --profile work"
    assert f"`{named} attach` comes back" in detached(named)


async def test_without_the_hosts_word_nobody_is_detached() -> None:
    link = ScriptedLink()
    link.refusals[p.Goodbye] = "The host is not connected yet."
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press("alt+q")
        await pilot.pause()
        await pilot.pause()
        assert notes(app) == ["The host is not connected yet."]
        assert app.is_running
        assert app.farewell == ""


async def test_quitting_says_so_and_keeps_the_draft_first() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press(*"half", "ctrl+q")
        await pilot.pause()
        await pilot.pause()
        said = [one for one in link.requests if isinstance(one, p.SaveDraft | p.Goodbye)]
        assert [type(one) for one in said] == [p.SaveDraft, p.Goodbye]
        assert said[-1] == p.Goodbye(0, "as_set")
        assert app.return_code == 0


async def test_a_program_that_is_told_to_end_says_nothing_about_the_host() -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        app.leave(129)
        await pilot.pause()
        await pilot.pause()
        assert link.asked(p.Goodbye) == []
        assert app.return_code == 129


async def test_a_program_that_is_told_to_end_stays_until_the_host_has_what_was_typed_last() -> None:
    link = ScriptedLink()
    link.held = {p.SaveDraft}
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        await pilot.press(*"half")
        app.leave(129)
        await link.is_asked(p.SaveDraft)
        await pilot.pause()
        assert app.return_code is None
        link.release()
        await pilot.pause()
        await pilot.pause()
        assert app.return_code == 129


async def test_a_host_that_nobody_else_needs_is_stopped_at_once() -> None:
    link = SharedHost(others=0)
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        app._commands.run("host.stop")
        await pilot.pause()
        await pilot.pause()
        assert len(link.asked(p.StopHost)) == 1
        assert app.return_code == 0


@pytest.mark.parametrize(
    ("others", "lock", "said"),
    [
        (2, p.LockView(), "2 other terminals are attached"),
        (0, WRITING, "interrupts 2 replies"),
        (1, WRITING, "interrupts 2 replies, 1 other terminal"),
    ],
)
async def test_a_stop_that_disturbs_somebody_asks_first(
    others: int, lock: p.LockView, said: str
) -> None:
    link = SharedHost(others)
    app = make_app(link)
    async with app.run_test(size=(100, 30)) as pilot:
        link.connect(TABS, lock=lock)
        await pilot.pause()
        for answer in ("escape", "enter", "l"):
            app._commands.run("host.stop")
            await pilot.pause()
            await pilot.pause()
            assert said in screen_text(app)
            await pilot.press(answer)
            await pilot.pause()
        assert link.asked(p.StopHost) == []
        app._commands.run("host.stop")
        await pilot.pause()
        await pilot.pause()
        await pilot.press("s")
        await pilot.pause()
        await pilot.pause()
        assert len(link.asked(p.StopHost)) == 1
        assert app.return_code == 0


def test_background_work_is_nobodys_reply_and_a_tool_that_runs_is_one() -> None:
    summary = p.LockEntry(0, 0, "summarizer", background=True, phase="generating")
    assert disturbed_by_stop(TerminalState(lock=p.LockView(summary)), 0) == ""
    calling = TabState(tab(1, calling=("clock",)))
    assert disturbed_by_stop(TerminalState(tabs=(calling,)), 0) == "interrupts a reply"


@pytest.mark.parametrize("key", ["ctrl+q", "alt+q"])
async def test_letters_in_one_bundle_with_the_key_to_leave_are_in_the_draft(key: str) -> None:
    link = ScriptedLink()
    app = make_app(link)
    async with app.run_test() as pilot:
        link.connect(TABS)
        await pilot.pause()
        for pressed in (*"half", key):
            app.post_message(events.Key(pressed, pressed if len(pressed) == 1 else None))
        await pilot.pause()
        await pilot.pause()
        assert [saved.text for saved in link.asked(p.SaveDraft)] == ["half"]
        assert app.return_code == 0
