"""The first minutes: a model, a role, a message; once, and only without a model."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.ui.models.offered import (
    FOREIGN,
    MODELS,
    NO_MODEL,
    OWN,
    RUNNING,
    SMALL,
    ModelLink,
    settle,
    terminal,
)
from tests.ui.models.test_picker import click_on, press
from tests.ui.scripted import READY, SIZES, screen_text

from gemma_chat.host import protocol as p
from gemma_chat.ui.first_run.message_pane import SUGGESTIONS, MessagePane
from gemma_chat.ui.first_run.role_pane import RolePane
from gemma_chat.ui.first_run.screen import FirstRun

EMPTY = msgspec.structs.replace(MODELS, files=(), chosen="")


@pytest.mark.parametrize(
    ("model", "first_time"),
    [(READY, True), (p.ModelView("loading", "m"), True), (NO_MODEL, False)],
)
async def test_whoever_has_a_model_or_has_seen_it_can_write_at_once(
    model: p.ModelView, first_time: bool
) -> None:
    async with terminal(ModelLink(), model=model, first_time=first_time) as (app, pilot):
        await press(pilot, *"hello")
        assert app.window.composer.editor.text == "hello"


@pytest.mark.parametrize("size", SIZES)
async def test_three_steps_lead_to_the_first_message(size: tuple[int, int]) -> None:
    link = ModelLink(EMPTY)
    async with terminal(link, size, model=NO_MODEL, first_time=True) as (app, pilot):
        assert "1 of 3" in screen_text(app)
        assert SMALL.name in screen_text(app)
        await press(pilot, "enter")
        assert [one.name for one in link.asked(p.StartDownload)] == [SMALL.name]
        assert "2 of 3" in screen_text(app)
        link.event(p.DownloadsChanged((RUNNING,)))
        await press(pilot, "down", "down", "enter")
        assert "3 of 3" in screen_text(app)
        assert "50%" in screen_text(app)
        link.event(p.DownloadsChanged(()))
        link.event(p.ModelChanged(READY))
        await settle(pilot)
        assert "is ready." in screen_text(app)
        await press(pilot, *"Hello?", "enter")
        assert not isinstance(app.screen, FirstRun)
        [settings] = [one.settings for one in link.asked(p.ChangeSettings)]
        assert settings.system_instruction
        assert [one.text for one in link.asked(p.SendMessage)] == ["Hello?"]


async def test_a_file_that_is_there_is_loaded_and_the_message_waits_for_it() -> None:
    link = ModelLink()
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, "enter")
        assert [one.path for one in link.asked(p.LoadModel)] == [OWN.path]
        link.event(p.ModelChanged(p.ModelView("loading", "gemma", OWN.path)))
        await press(pilot, "enter")
        assert "your message waits for it" in screen_text(app)
        await press(pilot, *"/tell me", "enter")
        assert link.asked(p.ChangeSettings) == []
        assert [one.text for one in link.asked(p.SendMessage)] == ["/tell me"]


async def test_a_file_that_is_too_large_is_not_what_enter_takes() -> None:
    link = ModelLink(msgspec.structs.replace(MODELS, files=(FOREIGN,), chosen=""))
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        assert FOREIGN.name in screen_text(app)
        await press(pilot, "enter")
        assert link.asked(p.LoadModel) == []
        assert [one.name for one in link.asked(p.StartDownload)] == [SMALL.name]


async def test_without_a_model_yet_the_message_stays_in_the_input() -> None:
    link = ModelLink(EMPTY)
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, "enter", "enter", *"Hello?", "enter")
        assert app.window.composer.editor.text == "Hello?"
        assert link.asked(p.SendMessage) == []


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_escape_leaves_at_every_step_and_nothing_is_changed(steps: int) -> None:
    link = ModelLink()
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, *["ctrl+n"] * steps, "escape")
        assert not isinstance(app.screen, FirstRun)
        assert link.asked(p.LoadModel) == []
        assert link.asked(p.SendMessage) == []
        assert "/model" in screen_text(app)


async def test_the_steps_can_be_walked_to_and_fro_and_not_beyond() -> None:
    async with terminal(ModelLink(), model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, "ctrl+b", "ctrl+n", "ctrl+n", "ctrl+n")
        assert "3 of 3" in screen_text(app)
        await press(pilot, "ctrl+b", "ctrl+b")
        assert "1 of 3" in screen_text(app)


async def test_two_steps_at_once_lead_to_one_page() -> None:
    async with terminal(ModelLink(), model=NO_MODEL, first_time=True) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, FirstRun)
        await asyncio.gather(screen.action_go(1), screen.action_go(1))
        await settle(pilot)
        assert "3 of 3" in screen_text(app)
        assert len(screen.query(MessagePane)) == 1
        assert not screen.query(RolePane)


async def test_everything_can_be_done_by_mouse() -> None:
    link = ModelLink(EMPTY)
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await click_on(pilot, app, "enter download")
        await click_on(pilot, app, "back")
        await click_on(pilot, app, "next")
        await click_on(pilot, app, "enter choose")
        await click_on(pilot, app, "back")
        await click_on(pilot, app, "pirate")
        link.event(p.ModelChanged(READY))
        await settle(pilot)
        await click_on(pilot, app, SUGGESTIONS[1])
        await click_on(pilot, app, "begin")
        assert [one.text for one in link.asked(p.SendMessage)] == [SUGGESTIONS[1]]


async def test_a_model_that_cannot_be_had_is_told_and_keeps_the_step() -> None:
    link = ModelLink(EMPTY)
    link.refusals[p.StartDownload] = "There are 8 unfinished downloads."
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, "enter")
        assert "1 of 3" in screen_text(app)


async def test_suggestions_come_with_the_arrows() -> None:
    link = ModelLink(EMPTY)
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, "ctrl+n", "ctrl+n", "down", "down", "down", "down", "up", "enter")
        assert app.window.composer.editor.text == SUGGESTIONS[2]


async def test_a_lost_connection_does_not_begin_it_again() -> None:
    link = ModelLink(EMPTY)
    async with terminal(link, model=NO_MODEL, first_time=True) as (app, pilot):
        await press(pilot, "escape")
        link.connect([], model=NO_MODEL)
        await settle(pilot)
        assert not isinstance(app.screen, FirstRun)
