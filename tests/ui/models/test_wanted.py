"""A model named on the command line, and a host that runs with another one."""

from __future__ import annotations

import pytest
from tests.ui.models.offered import NO_MODEL, ModelLink, settle, terminal
from tests.ui.scripted import READY, screen_text

from gemma_chat.host import protocol as p
from gemma_chat.ui.models.wanted import WantedModel


@pytest.mark.parametrize(
    ("wanted", "model", "same"),
    [
        (WantedModel("/a.gguf"), p.ModelView("ready", path="/a.gguf"), True),
        (WantedModel("/a.gguf"), p.ModelView("loading", path="/a.gguf"), True),
        (WantedModel("/a.gguf"), p.ModelView("failed", path="/a.gguf"), False),
        (WantedModel("/a.gguf"), p.ModelView("ready", path="/b.gguf"), False),
        (
            WantedModel(server="localhost:8080"),
            p.ModelView("ready", "m", server="http://localhost:8080/v1"),
            True,
        ),
        (
            WantedModel(server="http://localhost:8080", server_model="n"),
            p.ModelView("ready", "m", server="http://localhost:8080"),
            False,
        ),
        (WantedModel(server="http://localhost:8080"), READY, False),
    ],
)
def test_it_is_known_whether_the_host_has_it(
    wanted: WantedModel, model: p.ModelView, same: bool
) -> None:
    assert wanted.is_loaded_as(model) is same


async def test_what_the_host_has_already_is_not_asked_about() -> None:
    link = ModelLink()
    async with terminal(link, wanted=WantedModel(READY.path)) as (app, _):
        assert len(app.screen_stack) == 1
        assert link.asked(p.LoadModel) == []


@pytest.mark.parametrize("key", ["l", "k", "escape"])
async def test_another_one_is_loaded_only_when_that_is_wanted(key: str) -> None:
    link = ModelLink()
    async with terminal(link, wanted=WantedModel("/m/other.gguf")) as (app, pilot):
        assert "The host has SmolLM2" in screen_text(app)
        assert "Load other for all tabs" in screen_text(app)
        await pilot.press(key)
        await settle(pilot)
        asked = [one.path for one in link.asked(p.LoadModel)]
        assert asked == (["/m/other.gguf"] if key == "l" else [])
        link.connect([], model=READY)
        await settle(pilot)
        assert len(app.screen_stack) == 1


async def test_a_host_without_a_model_loads_it_at_once() -> None:
    link = ModelLink()
    wanted = WantedModel(server="http://localhost:8080", server_model="m")
    async with terminal(link, model=NO_MODEL, wanted=wanted, first_time=True) as (app, _):
        [asked] = link.asked(p.LoadModel)
        assert (asked.path, asked.server, asked.server_model) == ("", wanted.server, "m")
        assert len(app.screen_stack) == 1
