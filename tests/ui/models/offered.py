"""Models as a host tells of them, and a link that does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from tests.ui.scripted import READY, ScriptedLink, make_app
from tests.ui.scripted import tab as tab_view
from textual.pilot import Pilot

from gemma_chat.host import protocol as p
from gemma_chat.ui.app import ChatApp
from gemma_chat.ui.models.wanted import WantedModel

GB = 10**9
FOLDER = "/home/ada/models"
OWN = p.ModelFileView(
    f"{FOLDER}/ggml-org--gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf",
    "gemma-3-4b-it-Q4_K_M",
    int(2.5 * GB),
)
BOARD = p.ModelFileView(READY.path, "SmolLM2-135M-Instruct.Q4_1", 98_000_000, "board")
FOREIGN = p.ModelFileView(
    "/x/blobs/sha256-ab", "llama3.3:70b", 42 * GB, "ollama", "llama3.3:70b", "too_large"
)
SMALL = p.OfferView(
    "gemma-4-e2b",
    "ggml-org/gemma-4-E2B-it-GGUF",
    "Apache-2.0",
    int(3.4 * GB),
    6 * GB,
    ("text", "image"),
    ("tools",),
    "The smallest.",
)
LARGE = p.OfferView(
    "gemma-4-31b", "ggml-org/gemma-4-31B-it-GGUF", "Apache-2.0", 19 * GB, 32 * GB, fit="too_large"
)
HERE = p.OfferView(
    "gemma-3-4b", "ggml-org/gemma-3-4b-it-GGUF", "Gemma Terms of Use", 3 * GB, 5 * GB
)
MODELS = p.Models(
    0,
    (OWN, BOARD, FOREIGN),
    (SMALL, LARGE, HERE),
    chosen=OWN.path,
    memory_bytes=16 * GB,
    disk_bytes=60 * GB,
    folder=FOLDER,
)
RUNNING = p.DownloadView(
    1, "gemma-4-12b", "running", "g.gguf", int(1.4 * GB), int(2.8 * GB), 10_000_000.0
)
GATED = p.DownloadView(
    2, "google/gemma", "failed", error="It is gated.", page="https://huggingface.co/google/gemma"
)
FACTS = p.ModelFacts(
    0,
    "",
    name="Gemma 3",
    architecture="gemma3",
    quantisation="Q4_K_M",
    parameters=3_880_000_000,
    context_length=131_072,
    modalities=("image",),
    needed_bytes=int(3.6 * GB),
)
NO_MODEL = p.ModelView()


class ModelLink(ScriptedLink):
    """A host that has models."""

    def __init__(self, models: p.Models = MODELS) -> None:
        super().__init__()
        self.models = models
        self.faults: dict[str, str] = {}

    def _reply(self, request: p.Request) -> p.Reply:
        match request:
            case p.ListModels():
                return self.models
            case p.DescribeModel():
                fault = self.faults.get(request.path, "")
                return msgspec.structs.replace(FACTS, path=request.path, fault=fault)
            case _:
                return super()._reply(request)


@asynccontextmanager
async def terminal(
    link: ModelLink,
    size: tuple[int, int] = (100, 30),
    *,
    model: p.ModelView = READY,
    first_time: bool = False,
    wanted: WantedModel | None = None,
    kept: dict[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[ChatApp, Pilot[None]]]:
    """The program with one tab, connected. `kept` takes the settings that are stored."""
    settings = {} if kept is None else kept
    app = make_app(link, keep_setting=settings.__setitem__, environment=environment)
    app.options = replace(app.options, first_time=lambda: first_time, wanted=wanted)
    async with app.run_test(size=size) as pilot:
        link.connect([tab_view(1, "Pirate")], model=model)
        await settle(pilot)
        yield app, pilot


async def settle(pilot: Pilot[None]) -> None:
    """Let everything that was set going come to its end."""
    for _ in range(5):
        await pilot.pause()
