"""Scenes of choosing, downloading and switching models, and of the first minutes."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from tests.ui.models.offered import FACTS, FOREIGN, GATED, MODELS, NO_MODEL, OWN, RUNNING
from tests.ui.screens.stage import Stage
from tests.ui.screens.windows import HOLDER, in_a_chat
from tests.ui.scripted import tab
from textual.widgets import Input

from gemma_chat.host import protocol as p

PAUSED = msgspec.structs.replace(RUNNING, state="paused", bytes_per_second=0.0)
CHECKING = msgspec.structs.replace(RUNNING, state="checking", done_bytes=RUNNING.total_bytes)
FAILED = msgspec.structs.replace(
    RUNNING,
    state="failed",
    error="The hub cannot be reached: no route to host. What has come is kept; try again.",
)
TOO_LARGE = msgspec.structs.replace(
    FACTS,
    name="Llama 3.3",
    architecture="llama",
    parameters=70_600_000_000,
    modalities=(),
    needed_bytes=46_000_000_000,
    fit="too_large",
)
DAMAGED = msgspec.structs.replace(
    FACTS, fault="It is cut short: 1.2 GB of 2.5 GB are there. Download it again."
)


async def picker(stage: Stage, *downloads: p.DownloadView, facts: p.ModelFacts = FACTS) -> None:
    """The models, with the cursor on the one that is loaded."""
    await in_a_chat(stage)
    stage.link.answers |= {p.ListModels: MODELS, p.DescribeModel: facts}
    if downloads:
        await stage.happens(p.DownloadsChanged(downloads))
    stage.app.action_run("model.load")
    await stage.settle()


async def typed(stage: Stage, text: str) -> None:
    """These letters in the field, all at once."""
    stage.app.screen.query_one(Input).value = text
    await stage.settle()


async def models(stage: Stage) -> None:
    """The files on this machine, and what can be downloaded."""
    await picker(stage)


async def models_offer(stage: Stage) -> None:
    """A model of the catalogue: size, licence, what it can do, whether it fits."""
    await picker(stage)
    await stage.press("down", "down")


async def models_too_large(stage: Stage) -> None:
    """Another program's file, which this machine has no memory for."""
    await picker(stage, facts=TOO_LARGE)
    await stage.press("down")


async def models_damaged(stage: Stage) -> None:
    """A file that cannot be loaded."""
    await picker(stage, facts=DAMAGED)
    await stage.press("up")


async def models_typed(stage: Stage) -> None:
    """A repository of the hub that was typed."""
    await picker(stage)
    await typed(stage, "ada/tiny:*Q8*")


async def models_none_found(stage: Stage) -> None:
    """Letters that no model has."""
    await picker(stage)
    await typed(stage, "zzz")


async def download_running(stage: Stage) -> None:
    """A download under way."""
    await picker(stage, RUNNING)
    await stage.press("pageup")


async def download_paused(stage: Stage) -> None:
    """A download that was paused, and one whose checksum is compared."""
    await picker(stage, PAUSED, msgspec.structs.replace(CHECKING, download=3, name="gemma-3-1b"))
    await stage.press("pageup")


async def download_failed(stage: Stage) -> None:
    """A download that broke off."""
    await picker(stage, FAILED)
    await stage.press("pageup")


async def download_gated(stage: Stage) -> None:
    """A model whose makers want their terms accepted."""
    await picker(stage, GATED)
    await stage.press("pageup")


async def download_given_up(stage: Stage) -> None:
    """A download is given up only when it is confirmed."""
    await picker(stage, RUNNING)
    await stage.press("pageup", "ctrl+d")


async def model_switch(stage: Stage) -> None:
    """A reply is under way: when is the other model to come?"""
    await picker(stage)
    await stage.happens(p.LockChanged(p.LockView(HOLDER)))
    await stage.press("up", "enter")


async def model_on_its_way(stage: Stage) -> None:
    """The page of a program whose first model is being downloaded."""
    stage.link.connect((tab(1),), model=NO_MODEL)
    await stage.happens(p.DownloadsChanged((RUNNING,)))


# ---------------------------------------------------------------- the first minutes


async def first_start(stage: Stage, models: p.Models = MODELS) -> None:
    """The first start of all, without a model."""
    stage.app.options = replace(stage.app.options, first_time=lambda: True)
    stage.link.answers |= {p.ListModels: models, p.DescribeModel: FACTS}
    stage.link.connect((tab(1),), model=NO_MODEL)
    await stage.settle()


async def first_model(stage: Stage) -> None:
    """Nothing is here yet: the model that suits this machine is offered."""
    await first_start(stage, msgspec.structs.replace(MODELS, files=(), chosen=""))


async def first_model_found(stage: Stage) -> None:
    """Other programs have put models here, and one of them is too large."""
    path = "/home/ada/.lmstudio/models/ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf"
    source = "ggml-org/gemma-3-4b-it-GGUF"
    studio = p.ModelFileView(path, "gemma-3-4b-it-Q4_K_M", OWN.bytes, "lmstudio", source)
    await first_start(stage, msgspec.structs.replace(MODELS, files=(FOREIGN, studio), chosen=""))


async def first_role(stage: Stage) -> None:
    """Who it shall be."""
    await first_start(stage)
    await stage.press("ctrl+n", "down", "down", "down")


async def first_message(stage: Stage) -> None:
    """What to say, while the model is still on its way."""
    await first_start(stage)
    await stage.happens(p.DownloadsChanged((RUNNING,)))
    await stage.press("ctrl+n", "ctrl+n", "down")


SCENES = (
    models,
    models_offer,
    models_too_large,
    models_damaged,
    models_typed,
    models_none_found,
    download_running,
    download_paused,
    download_failed,
    download_gated,
    download_given_up,
    model_switch,
    model_on_its_way,
    first_model,
    first_model_found,
    first_role,
    first_message,
)
