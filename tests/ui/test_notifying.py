"""Notifications: for replies that nobody looks at, in a form that the terminal survives."""

from __future__ import annotations

import re

import msgspec
import pytest
from tests.ui.scripted import HOSTILE_TITLES, ScriptedLink, make_app, tab

from gemma_chat.config.schema import Notification
from gemma_chat.config.settings import Settings, TerminalSettings
from gemma_chat.host import protocol as p
from gemma_chat.ui.notifying import sequence


def test_each_way_has_its_sequence() -> None:
    assert sequence("none", "x", {}) == ""
    assert sequence("bell", "x", {}) == "\a"
    assert sequence("osc9", "Tutor: done", {}) == "\x1b]9;gemma-chat: Tutor: done\a"


def test_it_goes_past_a_multiplexer_which_rings_the_bell_itself() -> None:
    told = sequence("osc9", "x", {"TMUX": "/tmp/tmux"})
    assert told == "\x1bPtmux;\x1b\x1b]9;gemma-chat: x\a\x1b\\"
    assert sequence("bell", "x", {"TMUX": "/tmp/tmux"}) == "\a"


@pytest.mark.parametrize("title", HOSTILE_TITLES)
def test_a_title_cannot_end_the_sequence(title: str) -> None:
    written = sequence("osc9", title, {})
    inside = written.removeprefix("\x1b]9;").removesuffix("\a")
    assert re.search(r"[\x00-\x1f\x7f-\x9f]", inside) is None
    assert len(inside) <= 400


@pytest.mark.parametrize(
    ("how", "session", "focused", "reason", "written"),
    [
        ("bell", 2, True, "stop", "\a"),
        ("bell", 1, True, "stop", ""),
        ("bell", 1, False, "stop", "\a"),
        ("bell", 2, True, "stopped", ""),
        ("bell", 2, True, "closed", ""),
        ("bell", 2, True, "length", "\a"),
        ("none", 2, True, "stop", ""),
        ("osc9", 2, True, "failed", "\x1b]9;gemma-chat: Tutor: the reply failed\a"),
        ("bell", 9, True, "stop", ""),
    ],
)
async def test_only_a_reply_that_nobody_sees_and_nobody_stopped_is_told(
    monkeypatch: pytest.MonkeyPatch,
    how: Notification,
    session: int,
    focused: bool,
    reason: p.FinishReason,
    written: str,
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    link = ScriptedLink()
    terminal = msgspec.structs.replace(TerminalSettings(), notify=how)
    app = make_app(link, settings=Settings(terminal=terminal))
    told: list[str] = []
    monkeypatch.setattr(app, "write_to_terminal", told.append)
    async with app.run_test() as pilot:
        link.connect([tab(1, "Pirate"), tab(2, "Tutor")])
        await pilot.pause()
        told.clear()
        app.app_focus = focused
        link.event(p.TurnFinished(session, 1, reason, p.TurnMetrics()))
        await pilot.pause()
        assert "".join(told) == written
